//! The route of reports.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use protocol::api::reports::{MAX_REPORT, REPORTS, Report, Reported};

use crate::http::delivery::asked;
use crate::http::{Answer, Service, blocking, json};
use crate::shared::Shared;

/// The route.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route(REPORTS, post(report))
}

async fn report(State(shared): Service, headers: HeaderMap, body: Body) -> Answer {
    let (caller, report) = asked::<Report>(&shared, headers, body, MAX_REPORT).await?;
    blocking(shared, move |shared| shared.take_report(&caller, &report)).await?;
    json(&Reported {})
}
