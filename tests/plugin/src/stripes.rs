//! A data set of one's own: grey pictures with one coloured stripe.

use serde::Deserialize;
use std::sync::Arc;
use toolkit_data::{
    Alpha, DataError, Dataset, DatasetCard, DatasetFormat, Item, Items, Pictures, Question,
    RgbImage,
};

const COLOURS: [(&str, [u8; 3]); 3] =
    [("red", [220, 30, 30]), ("green", [30, 160, 60]), ("blue", [40, 80, 220])];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripesConfig {
    /// Pictures of a split.
    pub pictures: usize,
}

pub struct Stripes;

fn item(index: usize) -> Item {
    let colour = COLOURS[index % COLOURS.len()].0;
    let question = Question {
        id: index as u64,
        text: "what colour is the stripe?".to_owned(),
        answers: vec![colour.to_owned()],
        kind: "colour".to_owned(),
        answer_type: "other".to_owned(),
    };
    Item {
        id: format!("stripe-{index}"),
        depicts: format!("{colour} at {}", index / COLOURS.len()),
        group: "all".to_owned(),
        captions: vec![format!("a {colour} stripe")],
        questions: vec![question],
    }
}

impl Pictures for Stripes {
    fn image(&self, index: usize, _: &Item, _: Alpha) -> Result<RgbImage, DataError> {
        let (stripe, left) = (COLOURS[index % COLOURS.len()].1, 4 * (index as u32 % 15));
        let mut picture = RgbImage::new(64, 64);
        for (x, _, pixel) in picture.enumerate_pixels_mut() {
            pixel.0 = if (left..left + 8).contains(&x) { stripe } else { [128; 3] };
        }
        Ok(picture)
    }

    fn fingerprint(&self, name: &str, items: &[Item]) -> String {
        // The pictures follow from the number of items.
        format!("stripes version 1: {name}, {} pictures", items.len())
    }
}

impl DatasetFormat for Stripes {
    type Config = StripesConfig;

    fn from_card(
        config: &StripesConfig,
        card: &DatasetCard<'_>,
        split: &str,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        if !Self::splits(config).iter().any(|known| known == split) {
            let what = format!("`{}` has no split `{split}`", card.name);
            return Err(DataError::new(what, "the splits are train and test"));
        }
        let items = (0..config.pictures).map(item).collect();
        Ok(Arc::new(Items::new(format!("{}:{split}", card.name), items, Self)))
    }

    fn splits(_: &StripesConfig) -> Vec<String> {
        vec!["train".to_owned(), "test".to_owned()]
    }
}
