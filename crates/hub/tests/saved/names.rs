//! Names of tensors with the levels that training programs put around a model.

use super::Checkpoint;
use toolkit_core::params::Values;

fn renamed(name: &str, rename: impl Fn(String) -> String) -> Checkpoint {
    let checkpoint = Checkpoint::of(name);
    checkpoint.tensors(|all| all.into_iter().map(|(name, values)| (rename(name), values)).collect());
    checkpoint
}

#[test]
fn levels_around_all_names_are_taken_off() {
    for around in
        ["module.", "base_model.model.", "_orig_mod.", "model.", "module._orig_mod.", "base_model.model.model."]
    {
        assert!(renamed("hub-opt", |name| format!("{around}{name}")).holds(), "{around}");
    }
}

#[test]
fn levels_that_hold_nothing_are_taken_off_wherever_they_stand() {
    let compiled = |name: String| name.replace("language_model.model.", "language_model._orig_mod.model.");
    assert!(renamed("hub-opt", compiled).holds());
    let sharded = |name: String| {
        format!("module._fsdp_wrapped_module.{}", name.replace(".layers.", "._fsdp_wrapped_module.layers."))
    };
    assert!(renamed("hub-opt", sharded).holds());
}

#[test]
fn a_level_around_some_names_only_is_an_error_as_before() {
    let some = renamed("hub-opt", |name| if name.starts_with("qformer") { format!("module.{name}") } else { name });
    let error = some.error();
    assert!(error.contains("missing") && error.contains("unexpected (module.qformer"), "{error}");
}

#[test]
fn adapters_that_are_not_merged_and_quantised_weights_are_called_so() {
    let with = |more: &str| {
        let checkpoint = Checkpoint::of("hub-opt");
        checkpoint.tensors(|mut all| {
            all.insert(more.to_owned(), Values { shape: vec![2], data: vec![0.0; 2] });
            all
        });
        checkpoint.error()
    };
    let lora = "base_model.model.language_model.model.decoder.layers.0.self_attn.q_proj.lora_A.default.weight";
    let error = with(lora);
    assert!(error.contains("adapters of PEFT") && error.contains("merge_and_unload()"), "{error}");
    assert!(with("language_model.model.decoder.layers.0.fc1.base_layer.weight").contains("adapters of PEFT"));
    for (end, by) in
        [("SCB", "bitsandbytes, 8 bits"), ("weight.absmax", "bitsandbytes, 4 bits"), ("qweight", "GPTQ or AWQ")]
    {
        let error = with(&format!("language_model.model.decoder.layers.0.self_attn.q_proj.{end}"));
        assert!(error.contains(&format!("quantised by {by}")), "{error}");
    }
}
