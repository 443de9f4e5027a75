//! Student's t distribution through the regularised incomplete beta function.

/// Natural logarithm of the gamma function for `x > 0`, to about 1e-14.
fn ln_gamma(x: f64) -> f64 {
    // Stirling's series is accurate from about 10 on; smaller arguments are raised by the
    // recurrence.
    let (mut x, mut shift) = (x, 0.0);
    while x < 15.0 {
        shift += libm::log(x);
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series =
        (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / x;
    (x - 0.5) * libm::log(x) - x + 0.5 * libm::log(std::f64::consts::TAU) + series - shift
}

/// The regularised incomplete beta function `I_x(a, b)` by its continued fraction (Abramowitz and
/// Stegun 26.5.8), evaluated by Lentz's method.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        // The fraction converges quickly on the other side only.
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let floor = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / floor(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..1000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / floor(1.0 + term * d);
            c = floor(1.0 + term / c);
            step = c * d;
            fraction *= step;
        }
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    let front =
        ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * libm::log(x) + b * libm::log(1.0 - x);
    libm::exp(front) * fraction / a
}

/// Probability that a Student t variable with `df` degrees of freedom is at least `|t|` away from
/// 0.
#[must_use]
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    let square = t * t;
    if square < df {
        // The same value from its complement, without losing digits near t = 0.
        1.0 - incomplete_beta(square / (df + square), 0.5, df / 2.0)
    } else {
        incomplete_beta(df / (df + square), df / 2.0, 0.5)
    }
}

/// The quantile of Student's t: the value that a variable with `df` degrees of freedom stays below
/// with `probability`. For example 12.706 for 0.975 and 1. Infinite at 0 and 1.
#[must_use]
pub fn t_quantile(probability: f64, df: f64) -> f64 {
    if probability < 0.5 {
        return -t_quantile(1.0 - probability, df);
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    let tail = 2.0 * (1.0 - probability);
    let mut high = 1.0;
    while t_two_sided(high, df) > tail && high < 1e300 {
        high *= 2.0;
    }
    let mut low = 0.0;
    // Bisection down to neighbouring numbers: slower than Newton, but nothing can go wrong, and few
    // are needed.
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if t_two_sided(middle, df) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_printed_tables() {
        for (df, expected) in [
            (1.0, 12.706_204_7),
            (2.0, 4.302_652_73),
            (4.0, 2.776_445_11),
            (10.0, 2.228_138_85),
            (30.0, 2.042_272_46),
        ] {
            let found = t_quantile(0.975, df);
            assert!((found - expected).abs() < 1e-7, "{df}: {found}");
            assert!((t_quantile(0.025, df) + found).abs() < 1e-9);
        }
        // Many degrees of freedom: the normal distribution.
        assert!((t_quantile(0.975, 1e7) - 1.959_964_2).abs() < 1e-6);
        assert!(t_quantile(0.5, 3.0).abs() < 1e-12);
    }

    #[test]
    fn closed_forms_of_one_and_two_degrees_of_freedom() {
        for t in [0.001_f64, 0.3, 1.0, 2.5, 40.0] {
            let one = 1.0 - 2.0 * libm::atan(t) / std::f64::consts::PI;
            let two = 1.0 - t / (2.0 + t * t).sqrt();
            assert!(
                (t_two_sided(t, 1.0) - one).abs() < 1e-13,
                "{t}: {}",
                t_two_sided(t, 1.0) - one
            );
            assert!(
                (t_two_sided(t, 2.0) - two).abs() < 1e-13,
                "{t}: {}",
                t_two_sided(t, 2.0) - two
            );
        }
    }

    #[test]
    fn gamma_of_known_arguments() {
        assert!((ln_gamma(0.5) - 0.5 * libm::log(std::f64::consts::PI)).abs() < 1e-13);
        assert!((ln_gamma(11.0) - libm::log(3_628_800.0)).abs() < 1e-12);
    }
}
