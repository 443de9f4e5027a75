//! Names of tensors with the levels that training programs put around a model.

use super::Checkpoint;
use toolkit_core::params::Values;

fn renamed(name: &str, rename: impl Fn(String) -> String) -> Checkpoint {
    let checkpoint = Checkpoint::of(name);
    checkpoint
        .tensors(|all| all.into_iter().map(|(name, values)| (rename(name), values)).collect());
    checkpoint
}

#[test]
fn levels_around_all_names_are_taken_off() {
    for around in [
        "module.",
        "base_model.model.",
        "_orig_mod.",
        "model.",
        "module._orig_mod.",
        "base_model.model.model.",
    ] {
        assert!(renamed("hub-opt", |name| format!("{around}{name}")).holds(), "{around}");
    }
}

#[test]
fn levels_that_hold_nothing_are_taken_off_wherever_they_stand() {
    let compiled =
        |name: String| name.replace("language_model.model.", "language_model._orig_mod.model.");
    assert!(renamed("hub-opt", compiled).holds());
    let sharded = |name: String| {
        format!(
            "module._fsdp_wrapped_module.{}",
            name.replace(".layers.", "._fsdp_wrapped_module.layers.")
        )
    };
    assert!(renamed("hub-opt", sharded).holds());
}

#[test]
fn levels_that_no_list_has_are_taken_off_too() {
    for around in [
        "blip2.",
        "network.",
        "student.",
        "_forward_module.",
        "ema.model.net.",
        "_forward_module.module.",
    ] {
        for name in ["hub-opt", "hub-t5", "blip2-itm-tiny"] {
            assert!(renamed(name, |name| format!("{around}{name}")).holds(), "{name} {around}");
        }
    }
}

#[test]
fn a_level_around_some_names_only_is_named() {
    // By part, and of every part a half.
    let starts = [
        "qformer.",
        "vision_model.",
        "language_model.",
        "language_projection.",
        "query_tokens",
        "q",
        "v",
    ];
    let by_start = starts.map(|start| (start, move |name: &str| name.starts_with(start)));
    let by_length = ("half", |name: &str| name.len().is_multiple_of(2));
    let check = |what: &str, around: &dyn Fn(&str) -> bool| {
        let (mut with, mut all) = (0, 0);
        let some = Checkpoint::of("hub-opt");
        some.tensors(|tensors| {
            let rename = |name: String| if around(&name) { format!("module.{name}") } else { name };
            let renamed: std::collections::BTreeMap<_, _> =
                tensors.into_iter().map(|(n, v)| (rename(n), v)).collect();
            all = renamed.len();
            with = renamed.keys().filter(|name| name.starts_with("module.")).count();
            renamed
        });
        assert!(with > 0 && with < all);
        let wanted = format!(
            "the names of {with} of {all} tensors begin with `module.`, those of the others do not \
            -->"
        );
        let error = some.error();
        assert!(
            error.starts_with(&wanted) && error.contains("take `module.` off"),
            "{what}: {error}"
        );
    };
    by_start.iter().for_each(|(start, around)| check(start, around));
    check(by_length.0, &by_length.1);
}

#[test]
fn a_file_without_a_part_says_what_it_has() {
    let without = |part: &'static str| {
        let checkpoint = Checkpoint::of("hub-opt");
        checkpoint
            .tensors(|all| all.into_iter().filter(|(name, _)| !name.starts_with(part)).collect());
        checkpoint.error()
    };
    for (part, noun, key) in [
        ("vision_model.e", "encoder", "vision_weights"),
        ("language_model.", "language model", "language_weights"),
    ] {
        let error = without(part);
        assert!(error.starts_with(&format!("there are no weights of the {noun} --> ")), "{error}");
        assert!(
            error.contains("its names begin with `") && error.contains(&format!("as `{key}`")),
            "{error}"
        );
        assert!(!error.contains("LAVIS"), "{error}");
    }
    // What LAVIS saves has no encoder.
    let checkpoint = Checkpoint::of("stage1-tiny");
    let vision = Checkpoint::of("hub-opt").json("config.json")["vision_config"].clone();
    checkpoint.edit("config.json", |file| file["vision_config"] = vision);
    let error = super::open(&checkpoint.path("checkpoint.pth")).err().unwrap().to_string();
    assert!(error.contains("LAVIS keeps the encoder in a file of its own"), "{error}");
}

#[test]
fn a_table_of_other_rows_names_the_key_that_says_how_many() {
    for (name, part, key, rows) in [
        ("hub-opt", "text_config", "vocab_size", 400),
        ("hub-t5", "text_config", "vocab_size", 4000),
        ("blip2-itm-tiny", "qformer_config", "vocab_size", 4000),
        ("hub-opt", "text_config", "max_position_embeddings", 4000),
    ] {
        let checkpoint = Checkpoint::of(name);
        checkpoint.edit("config.json", |file| file[part][key] = rows.into());
        let error = checkpoint.error();
        assert!(
            error.contains(&format!("; `{key}` is likely wrong: the file has ")),
            "{name}: {error}"
        );
        assert!(error.contains("`config.json`"), "{error}");
    }
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
    assert!(
        with("language_model.model.decoder.layers.0.fc1.base_layer.weight")
            .contains("adapters of PEFT")
    );
    for (end, by) in [
        ("SCB", "bitsandbytes, 8 bits"),
        ("weight.absmax", "bitsandbytes, 4 bits"),
        ("qweight", "GPTQ or AWQ"),
    ] {
        let error = with(&format!("language_model.model.decoder.layers.0.self_attn.q_proj.{end}"));
        assert!(error.contains(&format!("quantised by {by}")), "{error}");
    }
}
