//! The instruction set that products use.
//!
//! The choice changes how fast a product is and never its bits: see `matmul`.

use std::sync::OnceLock;

/// The environment variable that overrides the choice.
pub const ISA_VARIABLE: &str = "TOOLKIT_ISA";

/// An instruction set, or a way of computing with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust: any processor. Without fused multiply-add its bits are its own.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// The tiles of AVX-512, computed with AVX2: slow, for tests of the order of sums.
    Wide,
    /// AVX-512 (F, BW, DQ, VL).
    Avx512,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Wide, Self::Avx2, Self::Avx512];

    /// Returns the name, as the variable has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Wide => "wide",
            Self::Avx512 => "avx512",
        }
    }

    /// Returns `true` if this processor has it.
    #[must_use]
    pub fn is_here(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let avx2 = has!("avx2") && has!("fma");
            match self {
                Self::Portable => true,
                Self::Avx2 | Self::Wide => avx2,
                Self::Avx512 => {
                    avx2 && has!("avx512f")
                        && has!("avx512bw")
                        && has!("avx512dq")
                        && has!("avx512vl")
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Portable
        }
    }

    /// Returns the one that `TOOLKIT_ISA` names, or else the fastest that is here.
    ///
    /// # Errors
    /// One line and a hint, if the name is unknown or this processor lacks the instructions.
    pub fn from_environment() -> Result<Self, [String; 2]> {
        let Some(name) = std::env::var_os(ISA_VARIABLE).filter(|name| !name.is_empty()) else {
            let fastest = [Self::Avx512, Self::Avx2].into_iter().find(|isa| isa.is_here());
            return Ok(fastest.unwrap_or(Self::Portable));
        };
        let names = || {
            let here = Self::ALL.into_iter().filter(|isa| isa.is_here());
            format!("this processor has {}", here.map(Self::name).collect::<Vec<_>>().join(", "))
        };
        match Self::ALL.into_iter().find(|isa| name == isa.name()) {
            Some(isa) if isa.is_here() => Ok(isa),
            Some(isa) => {
                Err([format!("{ISA_VARIABLE}: this processor has no {}", isa.name()), names()])
            }
            None => {
                let name = name.to_string_lossy().escape_debug().to_string();
                Err([format!("{ISA_VARIABLE}: no instruction set is called `{name}`"), names()])
            }
        }
    }

    /// Returns `true` if the variable names one.
    pub(crate) fn is_chosen() -> bool {
        static CHOSEN: OnceLock<bool> = OnceLock::new();
        *CHOSEN.get_or_init(|| std::env::var_os(ISA_VARIABLE).is_some())
    }

    /// Returns the one that this process uses.
    ///
    /// # Panics
    /// If [`Isa::from_environment`] fails. The command line looks first.
    #[must_use]
    pub fn current() -> Self {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| match Self::from_environment() {
            Ok(isa) => isa,
            Err([error, hint]) => panic!("{error} ({hint})"),
        })
    }
}
