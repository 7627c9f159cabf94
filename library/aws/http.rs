//! The SDK's HTTP client, without what it does ahead of time.
//!
//! By itself, each service client that is made builds a connector with all TLS roots of the system
//! and drops it, so that a bad root would show early. Roots are a hundred files; we make a client
//! per resource and change, and a function that is asked about nothing we want makes none at all.
//! Here the first call builds the connector, and all further clients share it.

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The client that everything shares.
pub(super) fn client() -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    SharedHttpClient::new(OnDemand(Builder::new().tls_provider(tls).build_https()))
}

/// The trait's other functions, which check ahead of time, keep their empty defaults.
#[derive(Debug)]
struct OnDemand(SharedHttpClient);

impl HttpClient for OnDemand {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}
