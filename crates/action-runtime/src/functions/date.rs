//! Dates in a language and a time zone: ICU4X, with the time zones of jiff's own copy of the tz database, so that the
//! answer is the same on every machine.

use std::fmt;

use icu_calendar::{Date, Gregorian};
use icu_datetime::fieldbag::DateTimeFieldBag;
use icu_datetime::fieldsets::builder::{DateFields, FieldSetBuilder, ZoneStyle};
use icu_datetime::options::{Length, TimePrecision, YearStyle};
use icu_datetime::{DateTimeFormatter, DateTimeFormatterPreferences};
use icu_locale_core::Locale;
use icu_locale_core::preferences::extensions::unicode::keywords::HourCycle;
use icu_time::zone::{IanaParser, UtcOffset};
use icu_time::{DateTime, Time, ZonedDateTime};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use serde_json::json;
use writeable::{Part, PartsWrite, Writeable};

use super::{Inputs, Result};

/// The languages that ICU4X has data for. Others are written in English, as the script can see in `resolvedOptions`.
const LANGUAGES: &str = " af am ar as az be bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl gu he hi hr hu hy id \
     is it ja ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn no or pa pl ps pt ro ru sd si sk sl so sq sr sv sw \
     ta te th tk tr uk ur uz vi yo yue zh zu ";

/// The locale, when there is data for its language.
pub(super) fn locale(tag: &str) -> Result<Locale> {
    let locale: Locale = tag.parse().map_err(|_| format!("Incorrect locale information provided: {tag}"))?;
    let known = LANGUAGES.contains(&format!(" {} ", locale.id.language));
    known.then_some(locale).ok_or_else(|| "no data".into())
}

/// `time_zone(name)`: the name as the tz database writes it; an error when there is none.
pub(super) fn time_zone(inputs: &Inputs<'_>) -> Result<String> {
    let name = inputs.text(0)?;
    let zone = zone(name)?;
    Ok(zone.iana_name().unwrap_or(name).to_owned())
}

fn zone(name: &str) -> Result<TimeZone> {
    if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("gmt") {
        return Ok(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        return offset(name)
            .map(TimeZone::fixed)
            .ok_or_else(|| format!("Invalid time zone specified: {name}"));
    }
    TimeZoneDatabase::bundled().get(name).map_err(|_| format!("Invalid time zone specified: {name}"))
}

/// `+05:30`, `+0530` or `+05`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = text.split_at_checked(1)?;
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = digits.split_at_checked(2)?;
    let number = |part: &str, least: i32| {
        let valid = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        valid.then(|| part.parse::<i32>().ok()).flatten().filter(|value| *value < least)
    };
    let minutes = if minutes.is_empty() { 0 } else { number(minutes, 60)? };
    let seconds = (number(hours, 24)? * 60 + minutes) * 60;
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok()
}

/// `format_date(milliseconds, locale, time zone, skeleton, date style, time style, hour cycle)`: pairs of type and text,
/// as JSON. The skeleton is that of UTS #35; a style is `full`, `long`, `medium` or `short`; what is not used is not given.
pub(super) fn format(inputs: &Inputs<'_>) -> Result<String> {
    let milliseconds = inputs.text(0)?.parse().map_err(|_| "Invalid time value")?;
    let instant = Timestamp::from_millisecond(milliseconds)
        .map_err(|_| "a date before the year -9999 or after 9999 cannot be formatted")?;
    let zone = zone(inputs.text(2)?)?;
    let fields = if inputs.given(3) {
        DateTimeFieldBag::from_skeleton(inputs.text(3)?).to_field_set_builder()
    } else {
        styled(inputs)?
    };
    let fields = fields.build_composite().map_err(|_| "these options cannot be formatted together")?;
    let mut preferences = DateTimeFormatterPreferences::from(&locale(inputs.text(1)?)?);
    if inputs.given(6) {
        preferences.hour_cycle = match inputs.text(6)? {
            "h11" => Some(HourCycle::H11),
            "h12" => Some(HourCycle::H12),
            _ => Some(HourCycle::H23),
        };
    }
    let formatter = DateTimeFormatter::try_new(preferences, fields).map_err(|error| error.to_string())?;
    let local = instant.to_zoned(zone.clone());
    let invalid = |_| "Invalid time value".to_owned();
    let date = Date::try_new_gregorian(
        i32::from(local.year()),
        local.month().unsigned_abs(),
        local.day().unsigned_abs(),
    );
    let (hour, minute) = (local.hour().unsigned_abs(), local.minute().unsigned_abs());
    let time =
        Time::try_new(hour, minute, local.second().unsigned_abs(), local.subsec_nanosecond().unsigned_abs());
    let at: DateTime<Gregorian> = DateTime {
        date: date.map_err(|_| "Invalid time value")?,
        time: time.map_err(|_| "Invalid time value")?,
    };
    let name = IanaParser::new().parse(zone.iana_name().unwrap_or("Etc/Unknown"));
    let offset = UtcOffset::try_from_seconds(local.offset().seconds()).map_err(invalid)?;
    let zone = name.with_offset(Some(offset)).at_date_time(at);
    let mut parts = Parts::default();
    let formatted = formatter.format(&ZonedDateTime { date: at.date, time: at.time, zone });
    formatted.write_to_parts(&mut parts).map_err(|_| "the date cannot be formatted")?;
    Ok(json!(parts.0).to_string())
}

/// The fields of a date style and a time style.
fn styled(inputs: &Inputs<'_>) -> Result<FieldSetBuilder> {
    let style = |at| inputs.given(at).then(|| inputs.text(at)).transpose();
    let length = |style: &str| match style {
        "full" | "long" => Ok(Length::Long),
        "medium" => Ok(Length::Medium),
        "short" => Ok(Length::Short),
        _ => Err(format!("Value {style} out of range for Intl.DateTimeFormat options property dateStyle")),
    };
    let (date, time) = (style(4)?, style(5)?);
    let mut fields = FieldSetBuilder::new();
    if let Some(date) = date {
        fields.length = Some(length(date)?);
        fields.date_fields = Some(if date == "full" { DateFields::YMDE } else { DateFields::YMD });
        fields.year_style = Some(YearStyle::Auto);
    }
    if let Some(time) = time {
        let of_time = length(time)?;
        fields.length = fields.length.or(Some(of_time));
        fields.time_precision =
            Some(if time == "short" { TimePrecision::Minute } else { TimePrecision::Second });
        fields.zone_style = match time {
            "full" => Some(ZoneStyle::SpecificLong),
            "long" => Some(ZoneStyle::SpecificShort),
            _ => None,
        };
    }
    Ok(fields)
}

/// The outermost parts of a formatted date, as pairs of type and text.
#[derive(Default)]
struct Parts(Vec<(&'static str, String)>);

impl fmt::Write for Parts {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.0.last_mut() {
            Some(("literal", literal)) => literal.push_str(text),
            _ => self.0.push(("literal", text.into())),
        }
        Ok(())
    }
}

/// One part: what is in it by itself does not count.
struct Inside(String);

impl fmt::Write for Inside {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        Ok(())
    }
}

impl PartsWrite for Inside {
    type SubPartsWrite = Self;

    fn with_part(&mut self, _: Part, mut write: impl FnMut(&mut Self) -> fmt::Result) -> fmt::Result {
        write(self)
    }
}

impl PartsWrite for Parts {
    type SubPartsWrite = Inside;

    fn with_part(&mut self, part: Part, mut write: impl FnMut(&mut Inside) -> fmt::Result) -> fmt::Result {
        let mut inside = Inside(String::new());
        write(&mut inside)?;
        if part.category == "datetime" {
            self.0.push((part.value, inside.0));
            Ok(())
        } else {
            fmt::Write::write_str(self, &inside.0)
        }
    }
}
