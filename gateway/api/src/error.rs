//! What a client is told when a request comes to nothing: one place for status, header and body.

use serde_json::json;

use crate::Response;

/// What kind of failure it is. The names are those of the model's exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(dead_code, reason = "the inventory raises the others")]
pub(crate) enum Kind {
    BadRequest,
    ResourceLimitExceeded,
    UnauthorizedClient,
    Forbidden,
    AccessDenied,
    NotFound,
    Conflict,
    Gone,
    UnprocessableEntity,
    /// Not the modelled `ThrottledClientException`: clients try again on this one.
    Throttling,
    ServiceFailure,
    ServiceUnavailable,
}

impl Kind {
    /// The plainest of a status.
    pub(crate) fn of(status: u16) -> Kind {
        match status {
            400 => Kind::BadRequest,
            401 => Kind::UnauthorizedClient,
            403 => Kind::AccessDenied,
            404 => Kind::NotFound,
            409 => Kind::Conflict,
            429 => Kind::Throttling,
            503 => Kind::ServiceUnavailable,
            _ => Kind::ServiceFailure,
        }
    }

    /// HTTP status, exception, and the `Code` of the body.
    pub(crate) fn names(self) -> (u16, &'static str, &'static str) {
        match self {
            Kind::BadRequest => (400, "BadRequestException", "BadRequest"),
            Kind::ResourceLimitExceeded => (400, "ResourceLimitExceededException", "ResourceLimitExceeded"),
            Kind::UnauthorizedClient => (401, "UnauthorizedClientException", "Unauthorized"),
            Kind::Forbidden => (403, "ForbiddenException", "Forbidden"),
            Kind::AccessDenied => (403, "AccessDeniedException", "AccessDenied"),
            Kind::NotFound => (404, "NotFoundException", "NotFound"),
            Kind::Conflict => (409, "ConflictException", "Conflict"),
            Kind::Gone => (410, "GoneException", "Gone"),
            Kind::UnprocessableEntity => (422, "UnprocessableEntityException", "Unprocessable"),
            Kind::Throttling => (429, "ThrottlingException", "Throttling"),
            Kind::ServiceFailure => (500, "ServiceFailureException", "ServiceFailure"),
            Kind::ServiceUnavailable => (503, "ServiceUnavailableException", "ServiceUnavailable"),
        }
    }
}

/// A failure and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub kind: Kind,
    /// For people; no secret, and nothing of the client's unbounded.
    pub message: String,
    /// When to try again, in milliseconds: clients obey it.
    pub retry_after: Option<u32>,
}

impl ApiError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> ApiError {
        ApiError { kind, message: message.into(), retry_after: None }
    }

    /// A failure that passes in so many milliseconds.
    pub(crate) fn throttled(message: &str, retry_after: u32) -> ApiError {
        ApiError { retry_after: Some(retry_after), ..ApiError::new(Kind::Throttling, message) }
    }

    pub(crate) fn response(&self) -> Response {
        let (status, exception, code) = self.kind.names();
        let mut headers =
            vec![("content-type", "application/json".to_owned()), ("x-amzn-errortype", exception.to_owned())];
        if let Some(milliseconds) = self.retry_after {
            headers.push(("x-amz-retry-after", milliseconds.to_string()));
        }
        let body = json!({ "Code": code, "Message": self.message });
        Response { status, headers, body: body.to_string().into_bytes() }
    }
}
