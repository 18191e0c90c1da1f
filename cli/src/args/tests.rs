//! The values and the command line itself.

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn counts() {
    for (text, count) in [
        ("0", 0),
        ("17", 17),
        ("50_000", 50_000),
        ("100k", 100_000),
        ("2M", 2_000_000),
        ("1.5M", 1_500_000),
        ("0.25k", 250),
        ("3G", 3_000_000_000),
    ] {
        assert_eq!(parse_count(text), Ok(count), "{text}");
    }
    for text in ["", "k", "-1", "1.5", "1.2345k", "2T", "1e6", "99999999999999999999", "1.", "٣"] {
        assert!(parse_count(text).is_err(), "{text}");
    }
}

#[test]
fn delays() {
    for (text, us) in [
        ("0", 0),
        ("2s", 2_000_000),
        ("500ms", 500_000),
        ("7us", 7),
        ("1m", 60_000_000),
        ("3h", 10_800_000_000),
        ("1d", 86_400_000_000),
    ] {
        assert_eq!(parse_delay_us(text), Ok(us), "{text}");
    }
    for text in ["", "2", "s", "-2s", "1.5s", "2 weeks", "9999999999999999d"] {
        assert!(parse_delay_us(text).is_err(), "{text}");
    }
}

#[test]
fn speeds() {
    assert_eq!("max".parse(), Ok(Speed::Max));
    assert_eq!("1x".parse(), Ok(Speed::Factor(1.0)));
    assert_eq!("60x".parse(), Ok(Speed::Factor(60.0)));
    assert_eq!("0.5x".parse(), Ok(Speed::Factor(0.5)));
    assert_eq!("100".parse(), Ok(Speed::Factor(100.0)));
    for text in ["", "x", "0x", "-1x", "infx", "nanx", "fast"] {
        assert!(text.parse::<Speed>().is_err(), "{text}");
    }
}
