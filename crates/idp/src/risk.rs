//! The risk assessment of a login (`event.authentication.riskAssessment`): what can be told from the user's earlier
//! logins. Other assessors of the dialect need data that this server has not got; they are absent.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{LoginHistory, LoginPlace, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::RequestContext;

/// What the assessors are like; another one when their rules change.
const VERSION: &str = "1";
const EARTH_RADIUS_KM: f64 = 6371.0;
/// City data is no more exact than this.
const MINIMAL_TRAVEL_KM: f64 = 100.0;
/// Faster than by train.
const SUBSTANTIAL_KM_PER_HOUR: f64 = 300.0;
/// Faster than by airliner.
const IMPOSSIBLE_KM_PER_HOUR: f64 = 1000.0;

/// How sure an assessor is that it is the user. `Neutral`: it cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    Low,
    Medium,
    High,
    Neutral,
}

/// What this login shows of where it comes from.
struct Signals {
    /// Hash of the browser's own cookie.
    device: Option<String>,
    /// Hash of the header.
    user_agent: Option<String>,
    place: Option<LoginPlace>,
}

impl Signals {
    fn of(ctx: &RequestContext, now: Timestamp) -> Self {
        let geoip = ctx.origin.geoip.as_ref();
        let place = geoip.and_then(|geoip| geoip.latitude.zip(geoip.longitude));
        Self {
            device: ctx.device.clone(),
            user_agent: ctx.origin.user_agent.as_deref().map(hash),
            place: place.map(|(latitude, longitude)| LoginPlace { latitude, longitude, at: now }),
        }
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// Notes a login, for the assessment of later ones.
pub(crate) fn note(history: &mut LoginHistory, ctx: &RequestContext, now: Timestamp) {
    let Signals { device, user_agent, place } = Signals::of(ctx, now);
    history.add(device.as_deref(), user_agent.as_deref(), place);
}

/// Compares this login with the earlier ones of its user, of whom so many `logins` are counted.
pub(crate) fn assess(
    history: Option<&LoginHistory>,
    logins: i64,
    ctx: &RequestContext,
    now: Timestamp,
) -> Value {
    let signals = Signals::of(ctx, now);
    let is_first = logins == 0 && history.is_none();
    let (device, details, device_confidence) = new_device(history, is_first, &signals);
    let has_geoip = ctx.origin.geoip.is_some();
    let (travel, travel_confidence) = match (is_first, has_geoip) {
        (true, _) => ("initial_login", Confidence::Neutral),
        (_, false) => ("missing_geoip", Confidence::Neutral),
        _ => impossible_travel(history.and_then(|history| history.place), signals.place),
    };
    let mut new_device = json!({ "code": device, "confidence": device_confidence });
    if let Some(details) = details {
        new_device["details"] = details;
    }
    json!({
        // The one that is least sure counts; one that cannot tell does not.
        "confidence": device_confidence.min(travel_confidence),
        "version": VERSION,
        "assessments": {
            "NewDevice": new_device,
            "ImpossibleTravel": { "code": travel, "confidence": travel_confidence },
        },
    })
}

fn new_device(
    history: Option<&LoginHistory>,
    is_first: bool,
    signals: &Signals,
) -> (&'static str, Option<Value>, Confidence) {
    if is_first {
        return ("initial_login", None, Confidence::Neutral);
    }
    let Some(history) = history else { return ("no_device_history", None, Confidence::Neutral) };
    if signals.device.is_none() && signals.user_agent.is_none() {
        return ("unknown_device", None, Confidence::Low);
    }
    let known =
        |list: &[String], used: &Option<String>| used.as_ref().is_some_and(|used| list.contains(used));
    let device = known(&history.devices, &signals.device);
    let user_agent = known(&history.user_agents, &signals.user_agent);
    let word = |known| if known { "known" } else { "unknown" };
    let (code, confidence) = match (device, user_agent) {
        (true, true) => ("match", Confidence::High),
        (false, false) => ("no_match", Confidence::Low),
        _ => ("partial_match", Confidence::Medium),
    };
    (code, Some(json!({ "device": word(device), "useragent": word(user_agent) })), confidence)
}

fn impossible_travel(before: Option<LoginPlace>, here: Option<LoginPlace>) -> (&'static str, Confidence) {
    let Some(here) = here else { return ("unknown_location", Confidence::Neutral) };
    let Some(before) = before else { return ("location_history_not_found", Confidence::Neutral) };
    let hours = here.at.ms_since(before.at) as f64 / 3_600_000.0;
    let km = distance_km(before, here);
    if hours < 0.0 || !km.is_finite() {
        return ("invalid_travel", Confidence::Neutral);
    }
    match km / hours {
        _ if km <= MINIMAL_TRAVEL_KM => ("minimal_travel_from_last_login", Confidence::High),
        speed if speed > IMPOSSIBLE_KM_PER_HOUR => ("impossible_travel_from_last_login", Confidence::Low),
        speed if speed > SUBSTANTIAL_KM_PER_HOUR => {
            ("substantial_travel_from_last_login", Confidence::Medium)
        }
        _ => ("travel_from_last_login", Confidence::High),
    }
}

/// The way along the great circle, by the haversine formula.
fn distance_km(from: LoginPlace, to: LoginPlace) -> f64 {
    let (from_lat, to_lat) = (from.latitude.to_radians(), to.latitude.to_radians());
    let (lat, lon) = (to_lat - from_lat, (to.longitude - from.longitude).to_radians());
    let square = (lat / 2.0).sin().powi(2) + from_lat.cos() * to_lat.cos() * (lon / 2.0).sin().powi(2);
    2.0 * EARTH_RADIUS_KM * square.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64, hours: i64) -> LoginPlace {
        LoginPlace { latitude, longitude, at: Timestamp::from_ms((hours + 100) * 3_600_000) }
    }

    #[test]
    fn a_travel_is_judged_by_its_speed() {
        let berlin = at(52.52, 13.40, 0);
        for (here, code) in [
            (at(52.40, 13.05, 0), "minimal_travel_from_last_login"),
            (at(48.14, 11.58, 5), "travel_from_last_login"),
            (at(40.71, -74.01, 9), "substantial_travel_from_last_login"),
            (at(40.71, -74.01, 5), "impossible_travel_from_last_login"),
            (at(40.71, -74.01, 0), "impossible_travel_from_last_login"),
            (at(40.71, -74.01, -1), "invalid_travel"),
        ] {
            assert_eq!(impossible_travel(Some(berlin), Some(here)).0, code, "{here:?}");
        }
        assert_eq!(impossible_travel(None, Some(berlin)).0, "location_history_not_found");
        assert_eq!(impossible_travel(Some(berlin), None).0, "unknown_location");
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let km = |from, to| distance_km(from, to).round();
        assert_eq!(km(at(0.0, 0.0, 0), at(0.0, 180.0, 0)), 20015.0);
        assert_eq!(km(at(52.52, 13.405, 0), at(40.7128, -74.006, 0)), 6385.0);
        assert_eq!(km(at(1.0, 179.9, 0), at(1.0, -179.9, 0)), 22.0);
    }
}
