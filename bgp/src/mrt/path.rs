//! File names out of templates: `%Y %m %d %H %M %S` in UTC, and `%%`. Nothing else is interpreted, by us or by a shell.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

/// A name with times in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate(String);

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The path is relative, and what to is not known.
    #[error("the path is not absolute")]
    Relative,
    /// Something follows `%` that means nothing here.
    #[error("`%{0}` means nothing here: use %Y, %m, %d, %H, %M, %S or %%")]
    Unknown(String),
}

impl std::str::FromStr for PathTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if !text.starts_with('/') {
            return Err(TemplateError::Relative);
        }
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                continue;
            }
            match rest.next() {
                Some('Y' | 'm' | 'd' | 'H' | 'M' | 'S' | '%') => {}
                other => return Err(TemplateError::Unknown(other.into_iter().collect())),
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl PathTemplate {
    /// The name at `unix` since 1970-01-01T00:00:00Z.
    pub fn at(&self, unix: Duration) -> PathBuf {
        let time = Utc::of(unix);
        let mut name = String::with_capacity(self.0.len().saturating_add(8));
        let mut rest = self.0.chars();
        while let Some(c) = rest.next() {
            if c == '%' {
                time.put(rest.next().unwrap_or('%'), &mut name);
            } else {
                name.push(c);
            }
        }
        name.into()
    }
}

/// A time of day in UTC, proleptic Gregorian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second: u64,
}

impl Utc {
    const DAY: u64 = 24 * 3600;

    /// By eras of 400 years that begin in March, so that the leap day is the last of a year.
    fn of(unix: Duration) -> Self {
        const ERA: u64 = 146_097;
        const DAYS_BEFORE_1970: u64 = 719_468;
        let days = unix.as_secs() / Self::DAY + DAYS_BEFORE_1970;
        let (era, of_era) = (days / ERA, days % ERA);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: year + era * 400 + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            second: unix.as_secs() % Self::DAY,
        }
    }

    fn put(self, field: char, out: &mut String) {
        let (value, width) = match field {
            'Y' => (self.year, 4),
            'm' => (self.month, 2),
            'd' => (self.day, 2),
            'H' => (self.second / 3600, 2),
            'M' => (self.second / 60 % 60, 2),
            'S' => (self.second % 60, 2),
            other => return out.push(other),
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "{value:0width$}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(template: &str, unix: u64) -> String {
        let template: PathTemplate = template.parse().expect("a template");
        template.at(Duration::from_secs(unix)).display().to_string()
    }

    #[test]
    fn times_are_filled_in_as_utc() {
        assert_eq!(name("/var/rib.%Y%m%d.%H%M%S.mrt", 0), "/var/rib.19700101.000000.mrt");
        assert_eq!(name("/%Y-%m-%d", 951_782_400), "/2000-02-29");
        assert_eq!(name("/%Y-%m-%d %H:%M:%S", 1_709_251_199), "/2024-02-29 23:59:59");
        assert_eq!(name("/%Y-%m-%d", 4_107_542_400), "/2100-03-01");
    }

    #[test]
    fn nothing_else_is_interpreted() {
        assert_eq!(name("/$(reboot);`id` ~ 100%%", 0), "/$(reboot);`id` ~ 100%");
        assert_eq!("/rib.%s".parse::<PathTemplate>(), Err(TemplateError::Unknown("s".to_owned())));
        assert_eq!("/rib.%".parse::<PathTemplate>(), Err(TemplateError::Unknown(String::new())));
        assert_eq!("rib.mrt".parse::<PathTemplate>(), Err(TemplateError::Relative));
    }
}
