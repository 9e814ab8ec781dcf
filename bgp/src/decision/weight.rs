//! Shares of traffic from bandwidths (draft-ietf-idr-link-bandwidth).

/// Most that the kernel takes for one next hop.
const MOST: u16 = 255;
/// How far a share may be from the exact one, as a part of it.
const TOLERANCE: f64 = 0.01;

/// Small whole numbers, 1 to 255, in the proportion of these bandwidths: the smallest ones that are within one
/// percent, else the most exact. All 1 when one path says no bandwidth (or none that can be used), since then there is
/// nothing to compare it by.
pub fn shares(bandwidths: &[Option<f32>]) -> Vec<u16> {
    let usable = |b: &Option<f32>| b.filter(|b| b.is_finite() && *b > 0.0).map(f64::from);
    let Some(known) = bandwidths.iter().map(usable).collect::<Option<Vec<_>>>() else {
        return vec![1; bandwidths.len()];
    };
    let greatest = known.iter().copied().fold(0.0, f64::max);
    let parts: Vec<_> = known.iter().map(|b| b / greatest).collect();
    let is_near = |scale: &u16| {
        let off = |part: &f64| (f64::from(share(*part, *scale)) / f64::from(*scale) - part).abs() / part;
        parts.iter().all(|part| off(part) < TOLERANCE)
    };
    let scale = (1..=MOST).find(is_near).unwrap_or(MOST);
    parts.iter().map(|part| share(*part, scale)).collect()
}

/// A part, above 0 and at most 1, of `scale`, in whole numbers but never 0.
fn share(part: f64, scale: u16) -> u16 {
    // Between 0 and 255 by construction.
    ((part * f64::from(scale)).round() as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bandwidths: &[f32]) -> Vec<u16> {
        shares(&bandwidths.iter().copied().map(Some).collect::<Vec<_>>())
    }

    #[test]
    fn shares_are_the_smallest_numbers_in_proportion() {
        assert_eq!(of(&[1.25e9]), [1]);
        assert_eq!(of(&[1.25e9, 1.25e9, 1.25e9]), [1, 1, 1]);
        assert_eq!(of(&[1.25e9, 1.25e8]), [10, 1]);
        assert_eq!(of(&[3.0e9, 2.0e9, 1.0e9]), [3, 2, 1]);
        assert_eq!(of(&[4.0e9, 2.5e9]), [8, 5]);
    }

    #[test]
    fn a_very_small_share_is_still_one() {
        assert_eq!(of(&[1.0e12, 1.0]), [255, 1]);
    }

    #[test]
    fn one_path_without_a_usable_bandwidth_makes_all_equal() {
        assert_eq!(shares(&[Some(1.0e9), None]), [1, 1]);
        assert_eq!(of(&[1.0e9, 0.0]), [1, 1]);
        assert_eq!(of(&[1.0e9, f32::NAN]), [1, 1]);
        assert_eq!(of(&[1.0e9, f32::INFINITY, -1.0]), [1, 1, 1]);
        assert!(shares(&[]).is_empty());
    }
}
