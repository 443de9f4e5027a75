#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

/// The value each of `names` has for a child, when it is `x` here.
fn seen(manager: Manager, names: &[&str]) -> Vec<String> {
    let all = names.iter().map(|name| (OsString::from(name), OsString::from("x")));
    let picked = inherited(manager, all, Path::new("/tmp/t"));
    let of_ours = picked.iter().filter(|(_, value)| value == "x");
    of_ours.map(|(name, _)| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn no_secret_is_inherited() {
    let secrets = [
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_HUB_TOKEN",
        "HUGGINGFACE_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "OPENAI_API_KEY",
        "WANDB_API_KEY",
        "SSH_AUTH_SOCK",
        "TWINE_PASSWORD",
        "CARGO_REGISTRY_TOKEN",
        "MY_COMPANY_PASSWORD",
        "PIP_REQUIREMENT",
        "PIP_NO_BINARY",
        "PYTHONSTARTUP",
        "LD_PRELOAD",
    ];
    for manager in [Manager::Pip, Manager::Apt, Manager::Npm] {
        assert_eq!(seen(manager, &secrets), [""; 0], "{manager:?}");
    }
    // The login to an index is for the program that asks it, and for no other one.
    let logins = ["PIP_INDEX_URL", "npm_config__auth"];
    assert_eq!(seen(Manager::Pip, &logins), logins[..1]);
    assert_eq!(seen(Manager::Npm, &logins), logins[1..]);
    assert_eq!(seen(Manager::Apt, &logins), [""; 0]);
}

#[test]
fn the_network_and_the_index_are_inherited() {
    let pip = [
        "HOME",
        "https_proxy",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "PIP_FIND_LINKS",
        "PIP_NO_INDEX",
        "PYENV_VERSION",
    ];
    assert_eq!(seen(Manager::Pip, &pip), pip);
    assert_eq!(seen(Manager::Npm, &["NPM_CONFIG_REGISTRY", "NODE_EXTRA_CA_CERTS"]).len(), 2);
    assert_eq!(seen(Manager::Apt, &["APT_CONFIG"]).len(), 1);
}

#[test]
fn relative_paths_still_lead_to_the_same_place() {
    let here = std::env::current_dir().unwrap();
    let links = from_here("PIP_FIND_LINKS".as_ref(), "src https://x.test/y no-such".as_ref());
    let folder = percent(&here.join("src").to_string_lossy(), "/");
    assert_eq!(links.to_str().unwrap(), format!("file://{folder} https://x.test/y no-such"));
    assert_eq!(
        from_here("PIP_CONFIG_FILE".as_ref(), "Cargo.toml".as_ref()),
        here.join("Cargo.toml")
    );
    assert_eq!(from_here("PIP_RETRIES".as_ref(), "src".as_ref()), "src");
}
