//! Commands that show something.

use super::support::{TINY, experiment, files, finished, folder, picture, text, toolkit};
use std::path::Path;

#[test]
fn list_inspect_and_doctor() {
    let all = toolkit(&["list", "--json"]).json();
    let find = |name: &str| {
        all.as_array().unwrap().iter().find(|card| card["name"] == name).cloned().unwrap()
    };
    assert_eq!(find("qformer-nano")["family"], "qformer");
    assert_eq!(find("tiny")["kind"], "datasets");
    let bridges = toolkit(&["list", "bridge", "--json"]).json();
    assert!(bridges.as_array().unwrap().iter().all(|card| card["kind"] == "bridge"));

    for card in all.as_array().unwrap() {
        let name = format!("{}/{}", card["kind"].as_str().unwrap(), card["name"].as_str().unwrap());
        let shown = toolkit(&["inspect", &name, "--json"]).json();
        assert_eq!(shown["name"], card["name"]);
    }
    let bridge = toolkit(&["inspect", "qformer-nano", "--json"]).json();
    assert_eq!(bridge["shape"]["behind"], "vit-nano");
    assert!(bridge["shape"]["queries"].as_u64().unwrap() > 0);
    assert!(toolkit(&["inspect", "opt-nano"]).ok().stdout.contains("decoder-only"));
    assert!(
        toolkit(&["inspect", "opt-nano", "--json"]).json()["weights"]["state"]
            .as_str()
            .unwrap()
            .starts_with("ok")
    );
    let task = toolkit(&["inspect", "tasks/vqav2", "--json"]).json();
    assert_eq!(task["text_processor"]["name"], "blip_question");
    toolkit(&["inspect", "opt-nanno"]).fails_with(&["opt-nanno", "did you mean `opt-nano`?"]);

    let findings = toolkit(&["doctor", "--json"]).json();
    assert!(findings.as_array().unwrap().iter().all(|finding| finding["ok"] == true));
}

#[test]
fn a_plan_is_priced_on_a_named_device() {
    let dir = folder();
    let file = experiment(dir.path(), TINY);
    let file = file.to_str().unwrap();
    let plan = |more: &[&str]| toolkit(&[&["plan", file][..], more].concat());
    let one = plan(&["--on", "h100", "--share", "0.5", "--json"]).json();
    let price = &one["price"];
    let flops = one["estimate"]["flops"].as_f64().unwrap();
    let half = &price["precisions"][2];
    assert_eq!(half["name"], "bf16");
    let hours = flops / (989.4e12 * 0.5) / 3600.0;
    assert!((half["hours"].as_f64().unwrap() / hours - 1.0).abs() < 1e-9, "{half}");
    assert_eq!(half["fits"], true);
    assert!(half["bytes"].as_u64() <= price["precisions"][0]["bytes"].as_u64(), "{price}");
    let four = plan(&["--on", "h100", "--share", "0.5", "--devices", "4", "--json"]).json();
    let quarter = four["price"]["precisions"][2]["hours"].as_f64().unwrap();
    assert!((4.0 * quarter / hours - 1.0).abs() < 1e-9);
    let shown = plan(&["--on", "v100-32"]).ok();
    assert!(shown.stderr.contains("nothing was measured"), "{}", shown.stderr);
    assert!(shown.stdout.contains("if 30 % of the peak is reached"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("bf16") && shown.stdout.contains("f16"), "{}", shown.stdout);
    plan(&["--quiet", "--on", "h100x"]).fails_with(&["there is no device `h100x`", "`h100`"]);
    plan(&["--quiet", "--on", "h100", "--share", "1.5"]).fails_with(&["is no share"]);
    plan(&["--share", "0.5"]).fails_with(&["--on"]);
}

/// Recipes are planned where neither their data nor their weights are.
#[test]
fn every_experiment_of_the_repository_can_be_planned_and_priced() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let file = entry.path();
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let opens = text.lines().next().unwrap();
        assert!(opens.starts_with("# toolkit ") && opens.ends_with(name), "{name}: {opens}");
        let file = file.to_str().unwrap();
        let backbones = name == "pretrain_nano.toml";
        let on: &[&str] = if backbones { &[] } else { &["--on", "a100-40"] };
        let plan = toolkit(&[&["plan", file, "--json"], on].concat()).json();
        if backbones {
            toolkit(&["plan", file, "--on", "h100"]).fails_with(&["has no price"]);
        }
        if !name.starts_with("pretrain_stage") {
            continue;
        }
        found += 1;
        let cell = &plan["cells"][0];
        let trained = cell["trained_params"].as_u64().unwrap();
        let expected = match name {
            "pretrain_stage1_vit_l.toml" => 183_165_758,
            "pretrain_stage1_vit_g.toml" => 186_705_470,
            "pretrain_stage2_opt_2.7b.toml" => 107_133_696,
            "pretrain_stage2_flan_t5_xl.toml" => 106_739_968,
            _ => 108_314_880,
        };
        assert_eq!(trained, expected, "{name}: the paper's, to the parameter");
        let (single, half) = (&plan["price"]["precisions"][0], &plan["price"]["precisions"][2]);
        assert!(half["hours"].as_f64().unwrap() > 10.0, "{name}: {half}");
        assert!(half["bytes"].as_u64() < single["bytes"].as_u64(), "frozen in 16 bits");
    }
    assert_eq!(found, 6);
}

#[test]
fn plan_counts_and_writes_nothing() {
    let dir = folder();
    let file = experiment(dir.path(), TINY);
    let (file, out) = (file.to_str().unwrap(), dir.path().join("out"));
    let plan =
        toolkit(&["plan", file, "--out", out.to_str().unwrap(), "--json", "--set", "seeds=[1,2]"])
            .json();
    assert_eq!(plan["cells"].as_array().unwrap().len(), 4);
    assert_eq!(plan["stage1"].as_array().unwrap().len(), 2);
    assert!(plan["estimate"]["flops"].as_f64().unwrap() > 0.0);
    let same = toolkit(&[
        "run",
        file,
        "--plan",
        "--json",
        "--out",
        out.to_str().unwrap(),
        "--set",
        "seeds=[1,2]",
    ])
    .json();
    assert_eq!(plan, same);
    assert!(toolkit(&["plan", file, "--smoke"]).ok().stdout.contains("operations"));
    assert_eq!(files(dir.path()), ["tiny.toml"].map(String::from));
}

#[test]
fn plan_of_a_pretraining() {
    let dir = folder();
    let file = experiment(
        dir.path(),
        concat!(
            "name = \"p\"\nkind = \"pretrain\"\nseed = 1\ndata = \"tiny\"\n[[part]]\nkind = \
            \"vision\"\ncard = \"vit-nano\"\n",
            "targets = [\"group\"]\nsteps = 10\nbatch = 4\nschedule = { peak = 1e-3, floor = 1e-4, \
            warmup = 2 }\n",
        ),
    );
    let file = file.to_str().unwrap();
    let plan = toolkit(&["plan", file, "--json", "--set", "part.0.steps=30"]).json();
    assert_eq!(
        (&plan["parts"][0]["steps"], &plan["parts"][0]["card"]),
        (&30.into(), &"vit-nano".into())
    );
    toolkit(&["plan", file, "--set", "part.1.steps=30"]).fails_with(&["--set part.1.steps=30"]);
    toolkit(&["plan", file, "--set", "part.0.stepz=30"])
        .fails_with(&["--set part.0.stepz=30", "unknown key `stepz`"]);
}

#[test]
fn data_is_previewed_and_checked() {
    let dir = folder();
    let sheet = dir.path().join("sheet.png");
    let sheet = sheet.to_str().unwrap();
    let shown =
        toolkit(&["data", "preview", "tiny:val", "--out", sheet, "--count", "6", "--json"]).json();
    assert_eq!(shown["items"], 8);
    assert!(image::open(sheet).unwrap().width() > 300);
    assert_eq!(files(dir.path()), ["sheet.png"].map(String::from));

    let checked = toolkit(&["data", "check", "tiny", "--json"]).json();
    let items: Vec<u64> =
        checked.as_array().unwrap().iter().map(|one| one["items"].as_u64().unwrap()).collect();
    assert_eq!(items, [64, 8, 16]);
    assert!(checked[2]["majority"]["overall"].as_f64().unwrap() > 5.0);

    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    picture(&photos.join("a.png"));
    std::fs::write(photos.join("a.txt"), "a grey gradient\n").unwrap();
    let name = format!("folder:{}", photos.display());
    let checked = toolkit(&["data", "check", &name]).ok().stdout;
    assert!(
        checked.contains("captions                1") && checked.contains("photos: whole"),
        "{checked}"
    );
    // Where others have a caption, a picture without is a finding; one of a format that is not
    // read, too.
    std::fs::create_dir(photos.join("more")).unwrap();
    picture(&photos.join("more/b.png"));
    std::fs::write(photos.join("c.heic"), "x").unwrap();
    let checked = toolkit(&["data", "check", &name, "--json", "--quiet"]);
    checked.fails_with(&["the folder is not whole", "more/b.png has no caption"]);
    let report: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((&report[0]["items"], &report[0]["clean"]), (&2.into(), &false.into()));
    assert_eq!(report[0]["findings"]["no-text"]["count"], 1);
    assert_eq!(report[0]["findings"]["unread-format"]["count"], 1);
    let shown = toolkit(&["data", "preview", &name, "--out", sheet]).ok();
    assert!(shown.stderr.contains("c.heic is passed over: HEIC is not read"), "{}", shown.stderr);
}

#[test]
fn data_commands_name_what_is_wrong() {
    let dir = folder();
    let sheet = dir.path().join("new/dir/sheet.png");
    toolkit(&["data", "preview", "tiny:val", "--out", text(&sheet), "--count", "2"]).ok();
    assert!(sheet.is_file());
    for name in ["preview", "check"] {
        toolkit(&["data", name, "folder:"]).fails_with(&["no folder is named", "folder:my-photos"]);
    }

    let photos = dir.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    picture(&photos.join("a.png"));
    picture(&photos.join("b.png"));
    std::fs::write(
        photos.join("captions.jsonl"),
        "{\"image\": \"a.png\", \"captions\": [\"\", \"a dog\"]}\n",
    )
    .unwrap();
    let name = format!("folder:{}", photos.display());
    let checked = toolkit(&["data", "check", &name, "--examples", "0"]);
    checked.fails_with(&["the first finding is: no-text, 1 times"]);
    for line in ["captions                1", "without caption         1"] {
        assert!(checked.stdout.contains(line), "{}", checked.stdout);
    }
}

#[test]
fn retrieval_ranks_the_pictures_of_the_data_set() {
    let dir = folder();
    for name in ["deep/b.png", ".hidden.png", ".cache/c.png", "a.png"] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture(&path);
    }
    std::fs::write(dir.path().join("c.heic"), "x").unwrap();
    let images = text(dir.path());
    let found =
        toolkit(&["retrieve", text(finished().0), "--images", images, "--text", "a cat", "--json"]);
    let log = found.stderr.clone();
    let json = found.json();
    let mut ranked: Vec<&str> = json[0]["ranks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rank| rank["image"].as_str().unwrap())
        .collect();
    ranked.sort_unstable();
    assert_eq!(ranked, ["a.png", "deep/b.png"].map(|name| format!("{images}/{name}")));
    assert!(log.contains("1 picture is passed over, c.heic: HEIC is not read"), "{log}");
}
