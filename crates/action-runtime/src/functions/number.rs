//! Numbers in a language, by ICU4X.

use icu_decimal::input::Decimal;
use icu_decimal::options::GroupingStrategy;
use icu_decimal::{DecimalFormatter, DecimalFormatterPreferences};

use writeable::Writeable as _;

use super::{Inputs, Result, date};

/// Digits of any kind that a script can ask for (ECMA-402 allows 100).
const MAX_DIGITS: u32 = 100;

/// `format_number(digits, locale, grouping, least integer digits, least fraction digits, most fraction digits, least
/// significant digits, most significant digits)`: a number as JavaScript writes it, in a language. `grouping` is `auto`,
/// `always`, `min2` or `false`. The fraction digits do not count when significant digits are given.
pub(super) fn format(inputs: &Inputs<'_>) -> Result<String> {
    let mut number: Decimal = inputs.text(0)?.parse().map_err(|_| "not a number in digits")?;
    let digits = |at| match inputs.number(at)? {
        digits if digits <= MAX_DIGITS => Ok(i16::try_from(digits).unwrap_or(i16::MAX)),
        _ => Err("too many digits".to_owned()),
    };
    if inputs.given(7) {
        let (least, most) = (digits(6)?, digits(7)?);
        number.trim_end();
        let first = number.absolute.nonzero_magnitude_start();
        number.round(first - most + 1);
        number.trim_end();
        let first = number.absolute.nonzero_magnitude_start();
        number.pad_end(first - least + 1);
    } else {
        number.round(-digits(5)?);
        number.trim_end();
        number.pad_end(-digits(4)?);
    }
    number.trim_start();
    number.pad_start(digits(3)?);
    let grouping = match inputs.text(2)? {
        "false" => GroupingStrategy::Never,
        "always" => GroupingStrategy::Always,
        "min2" => GroupingStrategy::Min2,
        _ => GroupingStrategy::Auto,
    };
    let preferences = DecimalFormatterPreferences::from(&date::locale(inputs.text(1)?)?);
    let formatter =
        DecimalFormatter::try_new(preferences, grouping.into()).map_err(|error| error.to_string())?;
    Ok(formatter.format(&number).write_to_string().into_owned())
}
