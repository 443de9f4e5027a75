//! Making the `scenes` data set. `cargo bench --profile dev --bench scenes`

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use toolkit_data::{Dataset, Fit, Preprocess, Scenes, ScenesConfig, World};

fn scenes(c: &mut Criterion) {
    let config = ScenesConfig { train: 500, ..ScenesConfig::default() };
    c.bench_function("scenes/text and layout of 500 scenes", |b| {
        b.iter(|| Scenes::open(black_box(&config), "train").expect("valid"))
    });
    let set = Scenes::open(&config, "train").expect("valid");
    let preprocess = Preprocess { size: 64, mean: [0.5; 3], std: [0.25; 3], fit: Fit::Stretch };
    let mut at = 0;
    c.bench_function("scenes/render and normalise one image", |b| {
        b.iter(|| {
            at = (at + 1) % set.len();
            preprocess.apply(&set.image(at).expect("valid"))
        });
    });
    let world = World::new(&config).expect("valid");
    let mut index = 0;
    c.bench_function("scenes/text of one scene", |b| {
        b.iter(|| {
            index += 1;
            world.text(1, index)
        });
    });
}

criterion_group!(benches, scenes);
criterion_main!(benches);
