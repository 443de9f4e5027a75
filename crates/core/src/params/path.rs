//! The position of a traversal in a module, and the checkpoint name of a parameter there.

/// The fields and containers around the current parameter.
#[derive(Default)]
pub(super) struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    /// Enters a field.
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container.to_owned());
    }
    /// Leaves a field.
    pub(super) fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }
    /// Returns the checkpoint name of the current parameter.
    pub(super) fn name(&self) -> String {
        let mut name = self.names.join(".");
        for (burn, torch) in [("gamma", "weight"), ("beta", "bias")] {
            if let Some(stem) =
                name.strip_suffix(burn).filter(|stem| stem.is_empty() || stem.ends_with('.'))
            {
                name = format!("{stem}{torch}");
            }
        }
        name
    }
    /// Returns `true` for the weight of a `Linear`, which a checkpoint holds transposed.
    pub(super) fn transposed(&self, rank: usize) -> bool {
        // Derived containers are called `Struct:Linear`; the last segment is the type.
        let linear = self.containers.last().is_some_and(|c| c.rsplit(':').next() == Some("Linear"));
        rank == 2 && linear && self.names.last().is_some_and(|n| n == "weight")
    }
    /// Returns `true` for the table that token ids are looked up in, which may be the head too.
    pub(super) fn is_token_table(&self, rank: usize) -> bool {
        let [.., table, name] = self.names.as_slice() else { return false };
        rank == 2 && name == "weight" && ["embed_tokens", "shared"].contains(&table.as_str())
    }
    /// Returns the shape in a checkpoint.
    pub(super) fn torch_shape(&self, mut shape: Vec<usize>) -> Vec<usize> {
        if self.transposed(shape.len()) {
            shape.reverse();
        }
        shape
    }
}
