//! Files of a checkpoint: in a folder, or next to a file.

use crate::CheckpointError;
use crate::input::is_there;
use crate::json::Json;
use std::path::{Path, PathBuf};

/// Weight files of a Hugging Face folder, in the order they are looked for.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Finds the weight file and the configuration of a checkpoint at `path`.
///
/// It is a Hugging Face folder, its folder in the Hub's cache (`models--X--Y`), or a LAVIS `.pth`
/// with a `config.json` next to it, or the folder of these.
///
/// # Errors
/// If it is none of these.
pub fn files(path: &Path) -> Result<(PathBuf, PathBuf), CheckpointError> {
    if !path.exists() {
        return Err(CheckpointError::new(
            "there is no such checkpoint",
            path.display().to_string(),
            "give a folder with `config.json` and weights, or a LAVIS `.pth`",
        ));
    }
    let cached = if path.is_dir() { snapshot(path)? } else { None };
    let path = cached.as_deref().unwrap_or(path);
    let beside =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = if path.is_dir() { path } else { beside };
    let config = folder.join("config.json");
    let named = path.is_file() && path != config;
    let weights = !named && has_weights(folder)?;
    if path.is_dir() && !weights {
        refuse_adapter(folder)?;
    }
    if !is_there(&config)? {
        let form = "a checkpoint has a `config.json`: that of transformers, or for LAVIS one with \
            the Q-Former's sizes";
        let hint =
            below(folder).map_or(form.to_owned(), |inner| format!("give `{}`", inner.display()));
        return Err(CheckpointError::new(
            "there is no `config.json`",
            folder.display().to_string(),
            hint,
        ));
    }
    if named {
        return Ok((path.to_owned(), config));
    }
    if weights {
        return Ok((folder.to_owned(), config));
    }
    Ok((only_pth(folder)?, config))
}

/// Returns `true` if a folder has weights by a name of Hugging Face.
fn has_weights(folder: &Path) -> Result<bool, CheckpointError> {
    for file in WEIGHTS {
        if is_there(&folder.join(file))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds the single `.pth` of a folder.
fn only_pth(folder: &Path) -> Result<PathBuf, CheckpointError> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| CheckpointError::io("read", folder, error))?;
    let mut pth: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "pth" || e == "pt"))
        .collect();
    pth.sort();
    match &pth[..] {
        [one] => Ok(one.clone()),
        [] => Err(CheckpointError::new(
            "there are no weights",
            folder.display().to_string(),
            "wanted: `model.safetensors`, shards with their index, `pytorch_model.bin` or one \
            `.pth`",
        )),
        _ => Err(CheckpointError::new(
            format!("there are {} `.pth` files", pth.len()),
            folder.display().to_string(),
            "name the one that is meant",
        )),
    }
}

/// Finds the snapshot inside a folder of the Hub's cache: the one that `refs/main` names, or the
/// only one. Returns `None` for any other folder.
fn snapshot(folder: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() || is_there(&folder.join("config.json"))? {
        return Ok(None);
    }
    let main = folder.join("refs").join("main");
    let main = match is_there(&main)? {
        true => toolkit_system::input::read_to_string(&main)
            .map_err(|error| CheckpointError::io("read", &main, error))?,
        false => String::new(),
    };
    let main = main.trim();
    // The reference is the name of a folder, never a path.
    let plain = !main.is_empty() && main.chars().all(|c| c.is_ascii_alphanumeric());
    if plain && snapshots.join(main).is_dir() {
        return Ok(Some(snapshots.join(main)));
    }
    let entries = std::fs::read_dir(&snapshots)
        .map_err(|error| CheckpointError::io("read", &snapshots, error))?;
    let mut all: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    all.sort();
    match &all[..] {
        [one] => Ok(Some(one.clone())),
        _ => {
            let what = format!(
                "this folder of the hub's cache has {} snapshots, and `refs/main` names none",
                all.len()
            );
            Err(CheckpointError::new(
                what,
                folder.display().to_string(),
                "name the folder below `snapshots/` that is meant",
            ))
        }
    }
}

/// Finds the first folder inside that is a checkpoint, or that is one of the Hub's cache.
fn below(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.join("config.json").is_file() || path.join("snapshots").is_dir())
        .min()
}

/// Refuses a folder of an adapter without weights.
fn refuse_adapter(folder: &Path) -> Result<(), CheckpointError> {
    let Some(adapter) = Json::read_if_there(&folder.join("adapter_config.json"))? else {
        return Ok(());
    };
    let kind = adapter.text("peft_type")?.unwrap_or_else(|| "PEFT".to_owned());
    let base = adapter
        .text("base_model_name_or_path")?
        .unwrap_or_else(|| "a model it does not name".to_owned());
    let what = format!("this is a {kind} adapter of `{base}`, without the model itself");
    let hint = "merge it first: load the model, `PeftModel.from_pretrained(model, \
        folder).merge_and_unload()`, save that";
    Err(CheckpointError::new(what, folder.display().to_string(), hint))
}
