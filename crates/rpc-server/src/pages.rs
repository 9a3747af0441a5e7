use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::{
    Filter, Reply,
    http::{HeaderValue, Method, StatusCode, header},
    path::FullPath,
};

/// A page for operators and scrapers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its MIME type.
    pub content_type: &'static str,
    /// Its text.
    pub text: String,
}

/// Finds the page of a path; called on a tokio thread for each request, so it may not block.
pub type PageSource = Arc<dyn Fn(&str) -> Option<Page> + Send + Sync>;

/// Serves pages by path (GET only) until `stop` is cancelled; a path without a page gets 404.
pub async fn serve_pages(listener: TcpListener, page: PageSource, stop: CancellationToken) {
    let pages = Arc::new(Pages(page));
    let route = warp::any().map(move || Arc::clone(&pages)).and(warp::method()).and(warp::path::full()).then(
        |pages: Arc<Pages>, method: Method, path: FullPath| async move { pages.answer(&method, &path) },
    );
    warp::serve(route).incoming(listener).graceful(stop.cancelled_owned()).run().await;
}

/// The source under a name of its own: the compiler cannot prove futures over a bare `dyn Fn` to be `Send`.
struct Pages(PageSource);

impl Pages {
    fn answer(&self, method: &Method, path: &FullPath) -> warp::reply::Response {
        if *method != Method::GET {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let Some(page) = (self.0)(path.as_str()) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let mut response = page.text.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(page.content_type));
        response
    }
}
