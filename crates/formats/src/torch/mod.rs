//! PyTorch checkpoints.
//!
//! Such a file is a pickle: a program for a small stack machine that may name any function of any
//! installed module and have it called. The machine here knows the instructions but can call
//! nothing. It understands a short list of names: `OrderedDict`, the functions that put a tensor
//! together from a storage, storage and number types, `torch.Size`. Anything else that is named or
//! "called" becomes a value without content. Names that run programs or code (`os.system`,
//! `builtins.eval`) are refused with an error, since no checkpoint has a use for them.
//!
//! | module | purpose |
//! |---|---|
//! | `zip`, `legacy` | the containers: zip archives, and bare pickles before PyTorch 1.6 |
//! | `machine`, `opcodes`, `build` | the machine, its instructions, the calls it stands in for |
//! | `node`, `global` | values of a pickle, functions and classes that it names |
//! | `find`, `state` | the search for tensors below the root, their names and places |
//!
//! The tensors are those of the state dict:
//! - nested dicts and lists are flattened, names joined with `.`;
//! - if the top level is a dict where `model`, `state_dict`, `model_state_dict` or `module` has
//!   tensors and no other key has (but for those of the state of a training: optimizer, scheduler,
//!   scaler, EMA, random state), only the tensors under that key are returned, without its name;
//! - modules, from a pickled `nn.Module` or from TorchScript (`torch.jit.save`), give their
//!   parameters, buffers and submodules. TorchScript does not say which tensors are constants, so
//!   those are returned too;
//! - tensors within other objects are left out.

mod build;
mod find;
mod global;
pub(crate) mod legacy;
mod machine;
mod node;
mod opcodes;
mod state;
pub(crate) mod zip;

use crate::directory::Directory;
use crate::dtype::Format;
use crate::error::{DAMAGED, ParseError, one_line};

/// Reads a zip archive: the pickle is the member `*/data.pkl`, storages are `*/data/0` and so on.
pub(crate) fn from_zip(bytes: &[u8]) -> Result<Directory, ParseError> {
    let archive = zip::Archive::parse(bytes)?;
    let Some(root) = archive.names().find_map(|name| {
        let root = name.strip_suffix("data.pkl")?;
        (root.matches('/').count() <= 1 && (root.is_empty() || root.ends_with('/')))
            .then(|| root.to_owned())
    }) else {
        return Err(ParseError::new(
            "a zip archive without a data.pkl",
            "only archives that torch.save wrote are read",
        ));
    };
    if let Some(place) = archive.member(&format!("{root}byteorder"))
        && bytes[place?] != *b"little"
    {
        return Err(ParseError::new(
            "written on a big-endian machine",
            "load and save it with PyTorch on a usual one",
        ));
    }
    let place = archive
        .member(&format!("{root}data.pkl"))
        .unwrap_or_else(|| Err(ParseError::new("no data.pkl", DAMAGED)))?;
    let (pickle, _) =
        machine::run(&bytes[place.clone()]).map_err(|error| error.offset(place.start))?;
    state::tensors(&pickle, Format::TorchZip, bytes.len(), |key| {
        let member = archive.member(&format!("{root}data/{key}"));
        member.unwrap_or_else(|| {
            Err(ParseError::new(
                format!("no member data/{} in the archive", one_line(key)),
                DAMAGED,
            ))
        })
    })
}
