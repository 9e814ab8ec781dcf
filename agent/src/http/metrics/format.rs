//! The two texts a scrape can be, and which of them a client wants.

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What an `Accept` header prefers; the older format where it does not matter (RFC 9110 section 12.5.1).
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let weight = |wanted: &[&str]| {
            let ranges = accept.split(',').filter_map(|range| weight_of(range, wanted));
            ranges.max().unwrap_or(0)
        };
        let open = weight(&["application/openmetrics-text"]);
        if open > 0 && open >= weight(&["text/plain", "text/*"]) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// OpenMetrics text in this format.
    #[must_use]
    pub(super) fn of(self, open_metrics: String) -> String {
        match self {
            Self::Prometheus => prometheus(&open_metrics),
            Self::OpenMetrics => open_metrics,
        }
    }
}

/// Thousandths of the quality a media range has, if it is one of those wanted.
fn weight_of(range: &str, wanted: &[&str]) -> Option<u32> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    if !wanted.iter().any(|name| name.eq_ignore_ascii_case(media)) {
        return None;
    }
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality: f32 = quality.map_or(Some(1.0), |text| text.trim().parse().ok())?;
    Some((quality.clamp(0.0, 1.0) * 1000.0) as u32)
}

/// In the older format a counter's family has the name of its samples, and the text has no end mark.
fn prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 4096);
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                text.push_str(&format!("# HELP {name}{suffix} {words}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_that_a_client_prefers_is_found_in_its_header() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
                          version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Prometheus),
            ("text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.5", Format::Prometheus),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=nonsense", Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }

    #[test]
    fn a_counters_family_is_named_as_its_samples_in_the_older_format() {
        let open = "# HELP x_a Help.\n# TYPE x_a counter\nx_a_total{l=\"v\"} 1\n# HELP x_b B.\n# TYPE x_b gauge\nx_b 2\n# EOF\n";
        let old = "# HELP x_a_total Help.\n# TYPE x_a_total counter\nx_a_total{l=\"v\"} 1\n# HELP x_b B.\n# TYPE x_b gauge\nx_b 2\n";
        assert_eq!(Format::Prometheus.of(open.to_owned()), old);
        assert_eq!(Format::OpenMetrics.of(open.to_owned()), open);
    }
}
