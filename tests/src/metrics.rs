//! Reads numbers out of a Prometheus text page. Knows no metric by name.

/// Sum of all samples of `name` whose labels contain every one of `labels` (written as `key="value"`).
/// Zero when there is none.
pub fn sum(page: &str, name: &str, labels: &[&str]) -> f64 {
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .filter(|(series, _)| {
            let (base, rest) = series.split_once('{').unwrap_or((series, ""));
            base == name && labels.iter().all(|label| rest.contains(label))
        })
        .filter_map(|(_, value)| value.parse::<f64>().ok())
        .sum()
}

/// Upper bound of the bucket of a histogram in which a share of the observations is reached; `None` where there are none.
/// Infinite when that is beyond the last bucket.
pub fn at_most(page: &str, name: &str, labels: &[&str], share: f64) -> Option<f64> {
    let bucket = format!("{name}_bucket");
    let mut buckets: Vec<(f64, f64)> = page
        .lines()
        .filter(|line| line.starts_with(&bucket) && labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| {
            let (series, count) = line.rsplit_once(' ')?;
            let (bound, _) = series.split_once("le=\"")?.1.split_once('"')?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.parse().ok()?))
        })
        .collect();
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (_, all) = *buckets.last().filter(|(_, all)| *all > 0.0)?;
    buckets.iter().find(|(_, count)| *count >= all * share).map(|(bound, _)| *bound)
}

#[cfg(test)]
mod tests {
    use super::{at_most, sum};

    #[test]
    fn finds_the_bucket_of_a_share() {
        let page = "a_bucket{le=\"0.1\",part=\"x\"} 5\na_bucket{le=\"0.5\",part=\"x\"} 9\n\
                    a_bucket{le=\"+Inf\",part=\"x\"} 10\na_bucket{le=\"+Inf\",part=\"y\"} 0\n";
        assert_eq!(at_most(page, "a", &["part=\"x\""], 0.5), Some(0.1));
        assert_eq!(at_most(page, "a", &["part=\"x\""], 0.9), Some(0.5));
        assert_eq!(at_most(page, "a", &["part=\"x\""], 1.0), Some(f64::INFINITY));
        assert_eq!(at_most(page, "a", &["part=\"y\""], 0.5), None);
    }

    #[test]
    fn sums_the_series_of_one_name_and_labels() {
        let page =
            "# HELP a b\na_total{stream=\"x\",account=\"0\"} 3\na_total{stream=\"y\"} 4\na_total_more 9\nb 2.5\n";
        assert_eq!(sum(page, "a_total", &[]), 7.0);
        assert_eq!(sum(page, "a_total", &["stream=\"y\""]), 4.0);
        assert_eq!(sum(page, "b", &[]), 2.5);
        assert_eq!(sum(page, "absent", &[]), 0.0);
    }
}
