//! References and configurations that do not fit a checkpoint.

use super::published::{copy, edit_config};
use super::support::{fixture, folder, text, toolkit};
use std::collections::BTreeMap;
use std::path::Path;

/// A prompt with the placeholder of a picture is refused, and not said to be read first.
#[test]
fn the_placeholder_of_a_picture_is_only_refused() {
    let (model, wide) = (fixture("hub-opt"), fixture("hub-opt/wide.png"));
    let how = ["--prompt", "<image>a photo of", "--max-new-tokens", "2"];
    let question =
        ["vqa", &model, &wide, "--question", "what is <image>?", "--max-new-tokens", "2"];
    for args in [&[&["caption", &model, &wide][..], &how].concat()[..], &question] {
        let said = toolkit(args);
        let refused = "the prompt holds `<image>`, which stands for the picture";
        assert!(said.stderr.contains(refused), "{}", said.stderr);
        assert!(!said.stderr.contains("read as such"), "{}", said.stderr);
    }
}

/// No text can hold a placeholder that the table has no row for; pictures need none here.
#[test]
fn a_placeholder_past_the_table_is_noted() {
    let dir = copy("hub-opt");
    edit_config(dir.path(), |config| config["image_token_index"] = 99_999.into());
    let wide = fixture("hub-opt/wide.png");
    for args in [
        &["verify", text(dir.path())][..],
        &["caption", text(dir.path()), &wide, "--max-new-tokens", "2"],
    ] {
        let said = toolkit(args).ok().stderr;
        assert!(
            said.contains("`image_token_index` is 99999, but the language model has 334 tokens"),
            "{said}"
        );
    }
}

/// A reference of another model says so; it is no reason to stop with a panic.
#[test]
fn a_reference_of_another_model_is_refused() {
    use safetensors::tensor::{Dtype, TensorView};
    let dir = folder();
    let other = dir.path().join("other.safetensors");
    let fed = |name: &str, input: &str, change: &dyn Fn(&mut Vec<usize>, &mut Vec<u8>)| {
        let path = Path::new(&fixture(name)).join("reference.safetensors");
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut all: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = (file.iter())
            .map(|(name, view)| {
                (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
            })
            .collect();
        let (_, shape, data) = all.get_mut(&format!("input/{input}")).unwrap();
        change(shape, data);
        let views: BTreeMap<&String, TensorView<'_>> = (all.iter())
            .map(|(name, (dtype, shape, data))| {
                (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
            })
            .collect();
        std::fs::write(&other, safetensors::serialize(views, header.metadata().clone()).unwrap())
            .unwrap();
        let model = if name == "stage1-tiny" {
            fixture("stage1-tiny/checkpoint.pth")
        } else {
            fixture(name)
        };
        toolkit(&["verify", "--quiet", &model, "--reference", text(&other)])
    };
    let last_column = |shape: &mut Vec<usize>, data: &mut Vec<u8>| {
        let width = *shape.last().unwrap();
        let size = data.len() / shape.iter().product::<usize>();
        let rows: Vec<Vec<u8>> =
            data.chunks(width * size).map(|row| row[..(width - 1) * size].to_vec()).collect();
        *data = rows.concat();
        *shape.last_mut().unwrap() -= 1;
    };
    let first_is = |id: i64| {
        move |_: &mut Vec<usize>, data: &mut Vec<u8>| data[..8].copy_from_slice(&id.to_le_bytes())
    };
    let no_row = |shape: &mut Vec<usize>, data: &mut Vec<u8>| {
        shape[0] = 0;
        data.clear();
    };
    let row = |shape: &mut Vec<usize>, data: &mut Vec<u8>| {
        data.truncate(data.len() / shape[0] * (shape[0] - 1));
        shape[0] -= 1;
    };
    for name in ["blip2-opt-tiny", "blip2-t5-tiny", "blip2-itm-tiny"] {
        fed(name, "pixel_values", &last_column)
            .fails_with(&["`input/pixel_values` is", "wanted [.., 3, 56, 56]"]);
        fed(name, "pixel_values", &no_row).fails_with(&["`input/pixel_values` is [0, 3, 56, 56]"]);
        fed(name, "input_ids", &first_is(1_000_000))
            .fails_with(&["`input/input_ids` has the id 1000000"]);
        fed(name, "input_ids", &first_is(-1)).fails_with(&["`input/input_ids` has the id -1"]);
        fed(name, "input_ids", &row).fails_with(&["`input/input_ids` is ["]);
        fed(name, "attention_mask", &last_column)
            .fails_with(&["`input/attention_mask` is not of the shape"]);
        fed(name, "attention_mask", &first_is(7)).fails_with(&["`input/attention_mask` has 7"]);
    }
    fed("blip2-t5-tiny", "decoder_input_ids", &first_is(131))
        .fails_with(&["`input/decoder_input_ids` has the id 131"]);
    fed("blip2-t5-tiny", "labels", &first_is(131)).fails_with(&["`input/labels` has 131"]);
    fed("blip2-t5-tiny", "labels", &last_column).fails_with(&["`input/labels` is not ["]);
    fed("stage1-tiny", "image_embeds", &last_column).fails_with(&["`input/image_embeds` is ["]);
    fed("stage1-tiny", "image_embeds", &no_row).fails_with(&["`input/image_embeds` is [0"]);
    fed("stage1-tiny", "input_ids", &first_is(100))
        .fails_with(&["`input/input_ids` has the id 100"]);
    fed("stage1-tiny", "attention_mask", &row)
        .fails_with(&["`input/attention_mask` is not of the shape"]);
}

#[test]
fn configurations_that_do_not_fit_are_refused() {
    for (name, part, key, value, said) in [
        ("blip2-opt-tiny", "vision_config", "patch_size", 0_u64, "`patch_size` = 0"),
        ("blip2-opt-tiny", "vision_config", "num_attention_heads", 0, "`num_attention_heads` = 0"),
        (
            "blip2-opt-tiny",
            "vision_config",
            "num_hidden_layers",
            10_000_000,
            "`vision_config.num_hidden_layers` is 10000000",
        ),
        (
            "blip2-opt-tiny",
            "text_config",
            "num_hidden_layers",
            1 << 62,
            "`text_config.num_hidden_layers`",
        ),
        ("blip2-opt-tiny", "text_config", "vocab_size", 1 << 62, "`text_config.vocab_size`"),
        ("blip2-opt-tiny", "text_config", "eos_token_id", 131, "`eos_token_id` is 131"),
        (
            "blip2-t5-tiny",
            "text_config",
            "decoder_start_token_id",
            131,
            "`decoder_start_token_id` is 131",
        ),
        (
            "blip2-t5-tiny",
            "qformer_config",
            "num_hidden_layers",
            10_000_000,
            "`qformer_config.num_hidden_layers`",
        ),
        (
            "blip2-itm-tiny",
            "qformer_config",
            "cross_attention_frequency",
            0,
            "cross_attention_frequency",
        ),
    ] {
        let dir = copy(name);
        // What it says of generation would win.
        let _ = std::fs::remove_file(dir.path().join("generation_config.json"));
        edit_config(dir.path(), |config| config[part][key] = value.into());
        toolkit(&["verify", "--quiet", text(dir.path())]).fails_with(&[said]);
    }
    // Another image size than the pixels of reference and processor have. Its position table is
    // resized, as LAVIS does.
    let dir = copy("hub-opt");
    edit_config(dir.path(), |config| config["vision_config"]["image_size"] = 112.into());
    let wide = fixture("hub-opt/wide.png");
    toolkit(&["caption", "--quiet", text(dir.path()), &wide])
        .fails_with(&["`size` makes pictures 56 pixels wide, the encoder takes 112"]);
    let dir = copy("blip2-opt-tiny");
    edit_config(dir.path(), |config| config["vision_config"]["image_size"] = 112.into());
    toolkit(&["verify", "--quiet", text(dir.path())])
        .fails_with(&["`input/pixel_values` is", "wanted [.., 3, 112, 112]"]);
    let many = ["caption", "--quiet", &fixture("hub-opt"), &wide, "--beams", "1000000000"];
    toolkit(&many).fails_with(&["`beams` = 1000000000"]);
}
