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

#[cfg(test)]
mod tests {
    use super::sum;

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
