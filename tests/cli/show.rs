//! Commands that show something.

use super::support::{TINY, experiment, files, finished, folder, picture, text, toolkit};

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
