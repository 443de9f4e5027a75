//! A table of the things that are pictured: CLDR names that are one plain countable word each.
//!
//! The table is written by hand, because no rule over names tells a clear picture from a
//! near-duplicate (mouse, rat) or a mass noun (bread) from one that takes "a". Names that are
//! plural only or that do not change in the plural (jeans, fish) are left out: they would give the
//! count away or hide it. So are pictures that are mostly of something else (the necktie is on a
//! blue shirt, the canoe on blue water).

/// Kinds of things. A question about something absent asks for a thing of the same kind half of the
/// time.
pub const GROUPS: [&str; 8] =
    ["mammal", "creature", "plant", "produce", "food", "travel", "clothing", "object"];

/// CLDR names by kind, in the order of [`GROUPS`], the clearest first.
const NAMES: [&str; 8] = [
    "dog cat elephant pig giraffe zebra koala panda fox rabbit cow camel lion mouse horse hedgehog gorilla \
     kangaroo raccoon bat sloth wolf tiger goat llama rhinoceros skunk bear",
    "penguin frog owl octopus butterfly snail crab duck turtle flamingo dolphin snake shark whale spider \
     parrot rooster honeybee crocodile peacock lobster swan scorpion ant eagle lizard jellyfish beetle",
    "rose cactus sunflower mushroom tulip shamrock seedling bouquet hibiscus",
    "banana strawberry carrot watermelon pineapple tomato eggplant lemon avocado peach pear onion cucumber \
     mango coconut tangerine potato melon",
    "pizza hamburger doughnut croissant lollipop cupcake taco cookie waffle sandwich pretzel teapot egg bagel \
     pie shortcake dumpling",
    "house rocket bus airplane sailboat umbrella bicycle tractor helicopter volcano ambulance star castle \
     snowman anchor cloud rainbow taxi parachute skateboard tent church locomotive ship snowflake fountain \
     watch motorcycle",
    "crown dress backpack scarf handbag kimono coat ring lipstick",
    "guitar key hammer camera trophy balloon bell telephone pencil chair drum magnet candle bomb envelope \
     kite television trumpet basketball door ladder wrench bucket bed violin axe baseball scroll toilet radio \
     shield battery saxophone broom newspaper telescope microscope basket sponge boomerang flashlight syringe \
     gear banjo accordion toothbrush briefcase package coin",
];

/// Plurals that the rules of [`plural`] get wrong.
const IRREGULAR: [(&str, &str); 8] = [
    ("mouse", "mice"),
    ("snowman", "snowmen"),
    ("wolf", "wolves"),
    ("scarf", "scarves"),
    ("tomato", "tomatoes"),
    ("potato", "potatoes"),
    ("mango", "mangoes"),
    ("volcano", "volcanoes"),
];

/// Returns the number of things in the table.
pub(crate) fn count() -> usize {
    NAMES.iter().map(|names| names.split(' ').count()).sum()
}

/// Returns all names with the index of their kind, so ordered that every prefix mixes the kinds in
/// the same proportions: a small world is then a small version of the large one.
pub(crate) fn ordered() -> Vec<(&'static str, usize)> {
    let mut all: Vec<(f64, usize, &str)> = Vec::new();
    for (group, names) in NAMES.iter().enumerate() {
        let number = names.split(' ').count();
        for (at, name) in names.split(' ').enumerate() {
            all.push(((at as f64 + 0.5) / number as f64, group, name));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.into_iter().map(|(_, group, name)| (name, group)).collect()
}

/// Returns `a` or `an`.
pub(crate) fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// Returns the plural of a noun of the table.
pub(crate) fn plural(noun: &str) -> String {
    if let Some((_, plural)) = IRREGULAR.iter().find(|(singular, _)| *singular == noun) {
        return (*plural).to_owned();
    }
    let before_y = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    if let Some(stem) = before_y {
        return format!("{stem}ies");
    }
    let hisses = ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    if hisses { format!("{noun}es") } else { format!("{noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_unique() {
        let all = ordered();
        let unique: std::collections::BTreeSet<_> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!(unique.len(), count());
        for (name, _) in all {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase()), "{name}");
            assert_ne!(plural(name), name);
        }
    }

    #[test]
    fn plurals_and_articles() {
        for (one, many) in
            [("dog", "dogs"), ("bus", "buses"), ("strawberry", "strawberries"), ("key", "keys")]
        {
            assert_eq!(plural(one), many);
        }
        assert_eq!((plural("mouse").as_str(), plural("peach").as_str()), ("mice", "peaches"));
        assert_eq!((article("owl"), article("dog")), ("an", "a"));
    }
}
