//! Levels that training programs put around a model, and so around the names of its tensors when it
//! is saved.

/// Levels before every name of a file: DistributedDataParallel, `torch.compile`, PEFT, Lightning.
const AROUND: [&str; 4] = ["module.", "_orig_mod.", "base_model.model.", "model."];

/// Levels that hold nothing, wherever they stand: `torch.compile` of a part, FSDP, activation
/// checkpointing.
const WITHIN: [&str; 3] = ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."];

/// Marks of matrices that PEFT keeps beside the weights until they are merged.
const BESIDE: [&str; 6] = [
    ".lora_A.",
    ".lora_B.",
    ".lora_embedding_A",
    ".lora_magnitude_vector",
    ".modules_to_save.",
    ".base_layer.",
];

/// Ends of the names that quantised weights have, and by what they are quantised.
const QUANTISED: [(&str, &str); 6] = [
    (".SCB", "bitsandbytes, 8 bits"),
    (".quant_map", "bitsandbytes, 4 bits"),
    (".absmax", "bitsandbytes, 4 bits"),
    (".qweight", "GPTQ or AWQ"),
    (".qzeros", "GPTQ or AWQ"),
    (".weight_packed", "compressed-tensors"),
];

/// The levels around all of `names`, joined. With `whole`, the file is of a whole checkpoint, in
/// which no part alone is called `model.`, as a language model is.
fn around<'a>(names: impl Iterator<Item = &'a str> + Clone, whole: bool) -> String {
    let mut found = String::new();
    loop {
        let common = |level: &&&str| {
            let level = format!("{found}{level}");
            names.clone().next().is_some() && names.clone().all(|name| name.starts_with(&level))
        };
        match AROUND.iter().filter(|level| whole || **level != "model.").find(common) {
            Some(level) => found.push_str(level),
            None => return found,
        }
    }
}

/// The levels that all of `names` have in front, joined; shortest first, none in front of all.
pub(super) fn shared<'a>(mut names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all = vec![String::new()];
    let Some(first) = names.next() else { return all };
    let ends = first.match_indices('.').map(|(at, _)| first[..=at].to_owned());
    all.extend(ends);
    for name in names {
        // Each holds the one before it, so the rest of them goes with the first that does not fit.
        let fitting = all.iter().take_while(|level| name.starts_with(level.as_str())).count();
        all.truncate(fitting);
    }
    all
}

/// A function from the names of a file to those of the model inside.
pub fn without_wrappers<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    whole: bool,
) -> impl Fn(&str) -> String {
    let within =
        |name: &str| WITHIN.iter().fold(name.to_owned(), |name, level| name.replace(level, ""));
    let names: Vec<String> = names.map(within).collect();
    let around = around(names.iter().map(String::as_str), whole);
    move |name| {
        let name = within(name);
        name.strip_prefix(&around).map(str::to_owned).unwrap_or(name)
    }
}

/// Says why the weights among `names` cannot be used as they are, and what to do: adapters that are
/// not merged, weights that are quantised. `None` if they can.
pub fn unusable<'a>(names: impl Iterator<Item = &'a str>) -> Option<(String, &'static str)> {
    for name in names {
        if BESIDE.iter().any(|mark| name.contains(mark)) {
            let what = format!(
                "the file holds adapters of PEFT beside the weights (`{name}`), which are not \
                merged"
            );
            return Some((what, "load it with PEFT, call `merge_and_unload()` and save it again"));
        }
        if let Some((_, by)) = QUANTISED.iter().find(|(end, _)| name.ends_with(end)) {
            let what = format!("the weights are quantised by {by} (`{name}`), which is not read");
            return Some((what, "save them in `bfloat16`; `--dtype q8` then keeps them in 8 bits"));
        }
    }
    None
}
