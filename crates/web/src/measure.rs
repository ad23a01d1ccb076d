//! What is counted of requests, and their spans in traces.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use ipnet::IpNet;
use metrics::{counter, histogram};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Answers the request, and counts it by its route: a path may hold anything, and there is no end of paths.
pub(crate) async fn measured<F: Future<Output = Response>>(
    trusted_proxies: &[IpNet],
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let span = tracing::trace_span!(
        target: "postern::trace",
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    if !span.is_disabled() {
        set_parent(&span, trusted_proxies, &request);
    }
    let started = Instant::now();
    let response = answer(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    histogram!("postern_http_request_seconds", "route" => route.clone())
        .record(started.elapsed().as_secs_f64());
    counter!("postern_http_requests_total", "method" => method, "route" => route, "status" => code(status))
        .increment(1);
    response
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn code(status: StatusCode) -> String {
    status.as_str().to_owned()
}

/// W3C Trace Context: the span continues the caller's trace, when the caller is a proxy of ours. Anybody else could fill our traces.
fn set_parent(span: &Span, trusted_proxies: &[IpNet], request: &Request) {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip().to_canonical());
    if !peer.is_some_and(|peer| trusted_proxies.iter().any(|network| network.contains(&peer))) {
        return;
    }
    if let Some(parent) = traceparent(request.headers()) {
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
        // It fails for a span that has begun to be traced already, which this one has not.
        let _ = span.set_parent(context);
    }
}

/// The one `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn traceparent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all("traceparent").into_iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let parts: Vec<_> = value.to_str().ok()?.split('-').collect();
    let [version, trace, span, flags] = parts.get(..4)? else { return None };
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let known = *version != "ff" && (*version != "00" || parts.len() == 4);
    if !known || !is_hex(version, 2) || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & 1),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_strictly() {
        let read = |value: &str| {
            let headers: HeaderMap =
                [("traceparent".parse().unwrap(), value.parse().unwrap())].into_iter().collect();
            traceparent(&headers).map(|context| (context.trace_id().to_string(), context.is_sampled()))
        };
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let span = "b7ad6b7169203331";
        assert_eq!(read(&format!("00-{trace}-{span}-01")), Some((trace.to_owned(), true)));
        assert_eq!(read(&format!("00-{trace}-{span}-00")), Some((trace.to_owned(), false)));
        assert_eq!(read(&format!("01-{trace}-{span}-01-later")), Some((trace.to_owned(), true)));
        for wrong in [
            String::new(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}x-{span}-01"),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }
}
