//! Numbers as people read them: thousands separators, three significant digits, units.

/// `1234567` as `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate or count rounded to a whole number, with separators; `–` where it is no number.
pub fn whole(x: f64) -> String {
    if x.is_finite() && x >= 0.0 { thousands(x.round() as u64) } else { "–".into() }
}

/// Three significant digits and a unit of thousands: `3.21 M`, `950 k`, `17`.
pub fn short(x: f64) -> String {
    let (scaled, unit) = match x.abs() {
        a if a >= 999.5e6 => (x / 1e9, " G"),
        a if a >= 999.5e3 => (x / 1e6, " M"),
        a if a >= 999.5 => (x / 1e3, " k"),
        _ => (x, ""),
    };
    format!("{}{unit}", significant(scaled))
}

/// Three significant digits without a unit; trailing zeros of a fraction are cut.
pub fn significant(x: f64) -> String {
    if !x.is_finite() {
        return "–".into();
    }
    let decimals = match x.abs() {
        a if a >= 99.95 => 0,
        a if a >= 9.995 => 1,
        a if a >= 0.9995 || a == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{x:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A duration given in µs: `412 µs`, `1.24 ms`, `2 s`, `3.5 min`.
pub fn micros(us: f64) -> String {
    if !us.is_finite() {
        return "–".into();
    }
    let (scaled, unit) = match us.abs() {
        a if a >= 99.5e6 => (us / 60e6, "min"),
        a if a >= 999.5e3 => (us / 1e6, "s"),
        a if a >= 999.5 => (us / 1e3, "ms"),
        a if a >= 0.9995 || a == 0.0 => (us, "µs"),
        _ => (us * 1e3, "ns"),
    };
    format!("{} {unit}", significant(scaled))
}

/// Bytes in powers of 1024: `96.2 MiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = n as f64;
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", significant(scaled), UNITS[unit])
}

/// A ratio as a percentage with one place: `91.7 %`; `–` where there is none.
pub fn percent(ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) if ratio.is_finite() => format!("{:.1} %", ratio * 100.0),
        _ => "–".into(),
    }
}

/// `card_testing` as `card testing`: names of kinds and rules as words.
pub fn words(name: &str) -> String {
    name.replace(['_', '-'], " ")
}

/// A calendar date and time of day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc {
    /// Year of the Gregorian calendar.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
}

impl Utc {
    /// From µs since 1970-01-01T00:00Z. The date is counted in eras of 400 years (146,097 days)
    /// that start on 1 March, so that the leap day is the last of its year.
    pub fn from_micros(us: i64) -> Self {
        let days = us.div_euclid(86_400_000_000);
        let second_of_day = (us.rem_euclid(86_400_000_000) / 1_000_000) as u32;
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month =
            (if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 })
                as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month,
            day,
            hour: second_of_day / 3_600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }

    /// `2026-04-01`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `1 Apr`.
    pub fn day_and_month(&self) -> String {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        format!("{} {}", self.day, MONTHS[(self.month - 1) as usize])
    }

    /// `14:05`.
    pub fn hour_and_minute(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }
}

/// A span of event time in words: `61 days`, `3.5 hours`.
pub fn span(us: i64) -> String {
    let seconds = us as f64 / 1e6;
    let (n, unit) = match seconds {
        s if s >= 2.0 * 86_400.0 => (s / 86_400.0, "days"),
        s if s >= 2.0 * 3_600.0 => (s / 3_600.0, "hours"),
        s if s >= 120.0 => (s / 60.0, "minutes"),
        s => (s, "seconds"),
    };
    format!("{} {unit}", significant(n))
}

#[cfg(test)]
mod tests;
