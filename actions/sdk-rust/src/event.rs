//! The event: the usual parts by name, the rest as JSON.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

macro_rules! part {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $field: $kind,)*
            /// What has no field here.
            #[serde(flatten)]
            pub rest: Map<String, Value>,
        }
    };
}

part!(
    /// A login, or an exchange of a refresh token.
    Event {
        /// Who logs in.
        user: User,
        /// Where.
        client: Client,
        /// How the user is known.
        connection: Connection,
        /// The request of the browser, or of the client.
        request: Request,
        /// What this login is.
        transaction: Option<Transaction>,
        /// The browser's session. There is none where no browser is.
        session: Option<Session>,
        /// There when a native app handed its login over to this browser.
        session_transfer_token: Option<Value>,
        /// The refresh token that is exchanged.
        refresh_token: Option<Value>,
        /// The API that the access token is for.
        resource_server: Option<ResourceServer>,
        /// In whose name the user logs in.
        organization: Option<Organization>,
        /// What the user may do.
        authorization: Option<Authorization>,
        /// How the user has proven who they are.
        authentication: Option<Authentication>,
        /// How often the user has logged in.
        stats: Stats,
        /// Whose login this is.
        tenant: Tenant,
    }
);

part!(
    /// A user.
    User {
        /// The id, as `auth0|123`.
        user_id: String,
        /// The e-mail address.
        email: Option<String>,
        /// Whether it is the user's.
        email_verified: Option<bool>,
        /// The full name.
        name: Option<String>,
        /// The nickname.
        nickname: Option<String>,
        /// What the user may change.
        user_metadata: Map<String, Value>,
        /// What only the tenant may change.
        app_metadata: Map<String, Value>,
    }
);

part!(
    /// An application.
    Client {
        /// Its id.
        client_id: String,
        /// Its name.
        name: String,
        /// What the tenant keeps with it.
        metadata: BTreeMap<String, Value>,
    }
);

part!(
    /// A connection.
    Connection {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// Its kind.
        strategy: String,
        /// What the tenant keeps with it.
        metadata: BTreeMap<String, Value>,
    }
);

part!(
    /// An HTTP request.
    Request {
        /// Where it came from.
        ip: String,
        /// The host that it was sent to.
        hostname: Option<String>,
        /// Its method.
        method: String,
        /// The user's language.
        language: Option<String>,
        /// The browser.
        user_agent: Option<String>,
        /// The network's number.
        asn: Option<String>,
        /// The parameters of its URL.
        query: Map<String, Value>,
        /// The parameters of its body.
        body: Map<String, Value>,
        /// Where the address is.
        geoip: Map<String, Value>,
    }
);

part!(
    /// A login under way.
    Transaction {
        /// Its id.
        id: Option<String>,
        /// What is spoken, as `oidc-basic-profile`.
        protocol: Option<String>,
        /// What was asked for.
        requested_scopes: Vec<String>,
        /// The authentication contexts that were asked for.
        acr_values: Vec<String>,
        /// Where the browser goes at the end.
        redirect_uri: Option<String>,
        /// What earlier Actions of this login have set.
        metadata: Map<String, Value>,
    }
);

part!(
    /// A browser's session.
    Session {
        /// Its id.
        id: String,
        /// When it ends at the latest: RFC 3339.
        expires_at: Option<String>,
        /// When it ends without activity: RFC 3339.
        idle_expires_at: Option<String>,
        /// What Actions keep with it.
        metadata: Map<String, Value>,
    }
);

part!(
    /// An API.
    ResourceServer {
        /// The audience of its tokens.
        identifier: String,
    }
);

part!(
    /// An organization.
    Organization {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// What people read.
        display_name: String,
        /// What the tenant keeps with it.
        metadata: Map<String, Value>,
    }
);

part!(
    /// What a user may do.
    Authorization {
        /// The names of the user's roles.
        roles: Vec<String>,
    }
);

part!(
    /// How a user has proven who they are.
    Authentication {
        /// In the order in which they were used.
        methods: Vec<Method>,
    }
);

part!(
    /// A method of authentication.
    Method {
        /// As `pwd` or `mfa`.
        name: String,
        /// When it was used: RFC 3339.
        timestamp: String,
    }
);

part!(
    /// Counts.
    Stats {
        /// Logins with this one.
        logins_count: u64,
    }
);

part!(
    /// A tenant.
    Tenant {
        /// Its id.
        id: String,
    }
);
