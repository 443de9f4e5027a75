//! Order, schedule and padding.

use burn::tensor::Device;
use proptest::prelude::*;
use toolkit_core::params::floats;
use toolkit_core::{Side, index, pad};
use toolkit_train::order::Order;
use toolkit_train::schedule::Schedule;

proptest! {
    #[test]
    fn an_order_is_passes_over_all_samples(seed: u64, samples in 1..40_usize, batch in 1..50_usize, steps in 1..20_u64) {
        let mut order = Order::new(seed, "order", samples, batch);
        let all: Vec<Vec<usize>> = (0..steps).map(|s| order.batch(s)).collect();
        prop_assert!(all.iter().all(|b| b.len() == batch));
        for pass in all.concat().chunks(samples).filter(|pass| pass.len() == samples) {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..samples).collect::<Vec<_>>());
        }
        // A resumed run asks for one step only, and asking twice or backwards changes nothing.
        for step in (0..steps).rev() {
            prop_assert_eq!(&Order::new(seed, "order", samples, batch).batch(step), &all[step as usize]);
            prop_assert_eq!(&order.batch(step), &all[step as usize]);
        }
    }

    #[test]
    fn a_rate_rises_then_falls(peak in 1e-5..1.0_f64, share in 0.0..1.0_f64, warmup in 0..50_u64, more in 1..200_u64) {
        let total = warmup + more;
        let schedule = Schedule::cosine(peak, peak * share, warmup);
        let rates: Vec<f64> = (0..total).map(|t| schedule.rate(t, total)).collect();
        let top = warmup as usize;
        prop_assert!(rates[..top].windows(2).all(|w| w[0] < w[1]));
        prop_assert!(rates[top..].windows(2).all(|w| w[0] >= w[1]));
        prop_assert!((rates[top] - peak).abs() < 1e-12);
        prop_assert!(rates[..top].iter().enumerate().all(|(t, r)| (r - peak * (t + 1) as f64 / warmup as f64).abs() < 1e-12));
        prop_assert!(rates[top..].iter().all(|r| (peak * share - 1e-12..=peak + 1e-12).contains(r)));
        prop_assert!((schedule.rate(total, total) - peak * share).abs() < 1e-12);
        // The cosine: in the middle of the fall the rate is in the middle.
        if more.is_multiple_of(2) {
            prop_assert!((schedule.rate(warmup + more / 2, total) - peak * (1.0 + share) / 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn padding_keeps_rows(rows in proptest::collection::vec(proptest::collection::vec(0..90_u32, 0..6), 1..5), left: bool) {
        let device = Device::default();
        let side = if left { Side::Left } else { Side::Right };
        let text = pad(&rows, 99, side, &device);
        let longest = rows.iter().map(Vec::len).max().unwrap().max(1);
        prop_assert_eq!(text.ids.dims(), [rows.len(), longest]);
        prop_assert_eq!(&text.lengths, &rows.iter().map(Vec::len).collect::<Vec<_>>());
        let ids = text.ids.into_data().convert::<i32>().try_into_vec::<i32>().unwrap();
        let mask = floats(text.mask);
        for (row, wanted) in rows.iter().enumerate() {
            let at = row * longest..(row + 1) * longest;
            let (ids, mask) = (&ids[at.clone()], &mask[at]);
            let real = if left { longest - wanted.len()..longest } else { 0..wanted.len() };
            for column in 0..longest {
                let inside = real.contains(&column);
                let wanted = if inside { wanted[column - real.start] as i32 } else { 99 };
                prop_assert_eq!((ids[column], mask[column]), (wanted, f32::from(u8::from(inside))));
            }
        }
    }
}

#[test]
fn orders_differ_by_seed_label_and_pass() {
    let first = |seed, label| Order::new(seed, label, 50, 50).batch(0);
    assert_ne!(first(1, "a"), first(2, "a"));
    assert_ne!(first(1, "a"), first(1, "b"));
    assert_ne!(first(1, "a"), Order::new(1, "a", 50, 50).batch(1));
    assert_eq!(Schedule::cosine(1.0, 0.0, 0).rate(0, 0), 1.0);
    let ids = index(&[3, 0], &Device::default())
        .into_data()
        .convert::<i32>()
        .try_into_vec::<i32>()
        .unwrap();
    assert_eq!(ids, [3, 0]);
}
