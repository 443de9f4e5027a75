//! Weights that a card names: opened, and loaded into a part as a whole or not at all.

use crate::{Card, found};
use burn::module::Module;
use toolkit_core::params::{self, Kept};
use toolkit_core::published::PublishedNames;
use toolkit_formats::Tensors;
use toolkit_models::weights::WeightsError;
use toolkit_models::weights::reader::Reader;
use toolkit_system::problem::Problem;

impl Card {
    /// Opens the weight file that `[weights]` names and checks its digest and stored type. Tensors
    /// are read one by one.
    ///
    /// # Errors
    /// If there is no `[weights]`, or the file is missing, changed, not fetched, or of no known
    /// format.
    pub fn open_weights(&self) -> Result<Tensors, WeightsError> {
        let Some(weights) = &self.weights else {
            let what = format!("{} `{}` has no `[weights]`", self.kind.noun(), self.name);
            let hint = "choose a card with weights, or initialise this one";
            return Err(self.text().error(0..0, what, hint).into());
        };
        let found = self.find("weights.source", &weights.source, weights.sha256.as_deref())?;
        let shown = self.origin.show(weights.source.trim_start_matches("file:"));
        let tensors = found::tensors(found, &shown)?;
        if let Some(expected) = weights.dtype {
            let other = tensors
                .names()
                .find(|name| tensors.info(name).is_some_and(|info| !expected.is(info.dtype)));
            if let Some(name) = other {
                let stored = tensors
                    .info(name)
                    .map(|info| format!("{:?}", info.dtype).to_uppercase())
                    .unwrap_or_default();
                let what = format!(
                    "tensor `{name}` is stored as {stored}, the card says {}",
                    expected.tag()
                );
                return Err(Problem::new(what)
                    .at(shown)
                    .hint("correct `dtype` in `[weights]`")
                    .into());
            }
        }
        Ok(tensors)
    }

    /// Reads the weights of this card into `module`, with matrices `kept` in this form. The file may be of any published form that
    /// `names` knows.
    ///
    /// # Errors
    /// As [`Card::open_weights`], and with everything that is missing, unexpected or mis-shaped.
    pub fn load_into<M: Module>(
        &self,
        module: M,
        names: PublishedNames,
        kept: Kept,
    ) -> Result<M, WeightsError> {
        let mut reader = Reader::of_part(self.open_weights()?, names);
        let plan = reader.plan(&names, &params::list(&module));
        reader.check()?;
        reader.load(module, &plan, kept, |_| {})
    }
}
