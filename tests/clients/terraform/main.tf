# What the provider has that this server serves; each resource that manages all of something. `one-by-one/` has those that
# manage one of it.

terraform {
  required_providers {
    auth0 = { source = "auth0/auth0" }
  }
}

provider "auth0" {}

variable "changed" {
  type    = bool
  default = false
}

variable "client_secret" {
  type = string
}

variable "public_key" {
  type = string
}

variable "user_password" {
  type = string
}

locals {
  number = var.changed ? "two" : "one"
}

# Actions.

resource "auth0_action" "claims" {
  name    = "claims"
  runtime = "node18"
  deploy  = true
  code    = <<-EOT
    exports.onExecutePostLogin = async (event, api) => {
      api.idToken.setCustomClaim('https://app.example/number', '${local.number} ' + event.secrets.SUFFIX)
      api.idToken.setCustomClaim('https://app.example/last', 'claims')
    }
  EOT

  supported_triggers {
    id      = "post-login"
    version = "v3"
  }
  secrets {
    name  = "SUFFIX"
    value = "secret ${local.number}"
  }
  dynamic "secrets" {
    for_each = var.changed ? ["more"] : []
    content {
      name  = "MORE"
      value = secrets.value
    }
  }
}

resource "auth0_action" "last" {
  name   = "last${var.changed ? "-renamed" : ""}"
  deploy = true
  code   = "exports.onExecutePostLogin = async (event, api) => api.idToken.setCustomClaim('https://app.example/last', 'last')"

  supported_triggers {
    id      = "post-login"
    version = "v3"
  }
}

resource "auth0_action" "draft" {
  name = "draft"
  code = "exports.onExecutePostLogin = async () => { /* ${local.number} */ }"

  supported_triggers {
    id      = "post-login"
    version = "v3"
  }
}

resource "auth0_trigger_actions" "login" {
  trigger = "post-login"

  dynamic "actions" {
    for_each = var.changed ? [auth0_action.last, auth0_action.claims] : [auth0_action.claims, auth0_action.last]
    content {
      id           = actions.value.id
      display_name = "Number ${actions.key}"
    }
  }
}

# Clients.

resource "auth0_client" "web" {
  name                         = "Web ${local.number}"
  description                  = "A web application"
  app_type                     = "regular_web"
  callbacks                    = var.changed ? ["https://web.example/a", "https://web.example/b"] : ["https://web.example/a"]
  allowed_logout_urls          = ["https://web.example/bye"]
  allowed_origins              = ["https://web.example"]
  web_origins                  = ["https://web.example"]
  grant_types                  = ["authorization_code", "refresh_token", "client_credentials"]
  oidc_conformant              = true
  organization_usage           = var.changed ? "allow" : null
  oidc_backchannel_logout_urls = ["https://web.example/logout"]
  client_metadata              = var.changed ? { team = "blue" } : { team = "red", floor = "1" }
  initiate_login_uri           = "https://web.example/login"
  is_first_party               = true
  cross_origin_auth            = false
  custom_login_page_on         = false
  logo_uri                     = "https://web.example/logo.png"
  sso                          = true

  jwt_configuration {
    alg                 = "RS256"
    lifetime_in_seconds = var.changed ? 1200 : 600
  }
  refresh_token {
    rotation_type                = "rotating"
    expiration_type              = "expiring"
    leeway                       = var.changed ? 5 : 0
    token_lifetime               = 86400
    idle_token_lifetime          = 3600
    infinite_token_lifetime      = false
    infinite_idle_token_lifetime = false
  }
}

resource "auth0_client_credentials" "web" {
  client_id             = auth0_client.web.id
  authentication_method = var.changed ? "client_secret_basic" : "client_secret_post"
  client_secret         = var.client_secret

  # No answer shows a secret that is stored as a hash.
  lifecycle {
    ignore_changes = [client_secret]
  }
}

resource "auth0_client" "native" {
  name        = "Native"
  app_type    = "native"
  callbacks   = ["http://127.0.0.1:8765/callback"]
  grant_types = ["authorization_code", "refresh_token"]

  mobile {
    ios {
      team_id               = "9JA89QQLNQ"
      app_bundle_identifier = "example.app"
    }
  }
}

resource "auth0_client" "machine" {
  name        = "Machine"
  app_type    = "non_interactive"
  grant_types = ["client_credentials"]
}

resource "auth0_client_credentials" "machine" {
  client_id             = auth0_client.machine.id
  authentication_method = "private_key_jwt"

  private_key_jwt {
    credentials {
      name            = "key"
      credential_type = "public_key"
      algorithm       = "RS256"
      pem             = var.public_key
      expires_at      = var.changed ? "2124-01-01T09:00:00.000Z" : "2123-01-01T09:00:00.000Z"
    }
  }
}

# An API.

resource "auth0_resource_server" "things" {
  name                                            = "Things ${local.number}"
  identifier                                      = "https://things.example/"
  signing_alg                                     = "RS256"
  token_lifetime                                  = var.changed ? 1200 : 600
  token_lifetime_for_web                          = 300
  allow_offline_access                            = true
  skip_consent_for_verifiable_first_party_clients = true
  enforce_policies                                = var.changed
  token_dialect                                   = var.changed ? "access_token_authz" : null
}

resource "auth0_resource_server_scopes" "things" {
  resource_server_identifier = auth0_resource_server.things.identifier

  scopes {
    name        = "read:things"
    description = "Read ${local.number}"
  }
  scopes {
    name        = var.changed ? "change:things" : "write:things"
    description = "Write"
  }
}

resource "auth0_client_grant" "web" {
  client_id  = auth0_client.web.id
  audience   = auth0_resource_server.things.identifier
  scopes     = var.changed ? ["read:things"] : ["read:things", "write:things"]
  depends_on = [auth0_resource_server_scopes.things]
}

# Users.

resource "auth0_connection" "users" {
  name         = "terraform-users"
  strategy     = "auth0"
  display_name = "Users ${local.number}"
  realms       = ["terraform-users"]
  metadata     = { key = local.number }

  options {
    password_policy        = var.changed ? "fair" : "low"
    brute_force_protection = true
    disable_signup         = var.changed
    requires_username      = false
  }
}

resource "auth0_connection_clients" "users" {
  connection_id   = auth0_connection.users.id
  enabled_clients = var.changed ? [auth0_client.native.id, auth0_client.web.id] : [auth0_client.native.id]
}

resource "auth0_role" "reader" {
  name        = "Reader"
  description = "Reads ${local.number}"
}

resource "auth0_role" "writer" {
  name = "Writer"
}

resource "auth0_role" "editor" {
  name = "Editor"
}

resource "auth0_role_permissions" "reader" {
  role_id = auth0_role.reader.id

  dynamic "permissions" {
    for_each = auth0_resource_server_scopes.things.scopes
    content {
      name                       = permissions.value.name
      resource_server_identifier = auth0_resource_server.things.identifier
    }
  }
}

resource "auth0_user" "ada" {
  connection_name = auth0_connection.users.name
  user_id         = "ada"
  email           = "ada@terraform.example"
  email_verified  = true
  password        = var.user_password
  name            = "Ada"
  given_name      = "Ada"
  family_name     = var.changed ? "King" : "Byron"
  nickname        = "ada"
  picture         = "https://web.example/ada.png"
  user_metadata   = jsonencode(var.changed ? { plan = "gold" } : { plan = "silver", since = 1815 })
  app_metadata    = jsonencode({ team = local.number })
}

resource "auth0_user_roles" "ada" {
  user_id = auth0_user.ada.id
  roles   = var.changed ? [auth0_role.editor.id, auth0_role.writer.id] : [auth0_role.writer.id]
}

# The list has what comes by roles, too: hers have no permissions.
resource "auth0_user_permissions" "ada" {
  user_id = auth0_user.ada.id

  permissions {
    name                       = "read:things"
    resource_server_identifier = auth0_resource_server.things.identifier
  }

  depends_on = [auth0_resource_server_scopes.things]
}

# Organizations.

resource "auth0_organization" "acme" {
  name         = "acme"
  display_name = "Acme ${local.number}"
  metadata     = { key = local.number }

  branding {
    logo_url = "https://web.example/acme.png"
    colors = {
      primary         = "#112233"
      page_background = "#445566"
    }
  }
}

resource "auth0_organization_connections" "acme" {
  organization_id = auth0_organization.acme.id

  enabled_connections {
    connection_id              = auth0_connection.users.id
    assign_membership_on_login = var.changed
  }
}

resource "auth0_organization_members" "acme" {
  organization_id = auth0_organization.acme.id
  members         = [auth0_user.ada.id]
}

resource "auth0_organization_member_roles" "ada" {
  organization_id = auth0_organization.acme.id
  user_id         = auth0_user.ada.id
  roles           = [auth0_role.writer.id]
  depends_on      = [auth0_organization_members.acme]
}

# The tenant.

resource "auth0_tenant" "settings" {
  friendly_name           = "Tenant ${local.number}"
  support_email           = "help@web.example"
  support_url             = "https://web.example/help"
  allowed_logout_urls     = ["https://web.example/all"]
  session_lifetime        = var.changed ? 100 : 168
  idle_session_lifetime   = 72
  enabled_locales         = ["en"]
  default_redirection_uri = "https://web.example/start"

  flags {
    revoke_refresh_token_grant = var.changed
  }
  session_cookie {
    mode = "persistent"
  }
  sessions {
    oidc_logout_prompt_enabled = false
  }
}

resource "auth0_log_stream" "hook" {
  name    = "Hook ${local.number}"
  type    = "http"
  status  = var.changed ? "active" : "paused"
  filters = [{ type = "category", name = "auth.login.fail" }]

  sink {
    http_endpoint       = "https://logs.example/${local.number}"
    http_content_type   = "application/json"
    http_content_format = "JSONLINES"
    http_authorization  = "Bearer ${local.number}"
    http_custom_headers = [{ header = "x-number", value = local.number }]
  }
}

# What is there is found as well.

data "auth0_client" "web" {
  name       = auth0_client.web.name
  depends_on = [auth0_client_credentials.web]
}

data "auth0_connection" "users" {
  name       = auth0_connection.users.name
  depends_on = [auth0_connection_clients.users]
}

data "auth0_resource_server" "things" {
  identifier = auth0_resource_server.things.identifier
  depends_on = [auth0_resource_server_scopes.things]
}

data "auth0_role" "reader" {
  name       = auth0_role.reader.name
  depends_on = [auth0_role_permissions.reader]
}

data "auth0_user" "ada" {
  user_id    = auth0_user.ada.id
  depends_on = [auth0_user_roles.ada, auth0_user_permissions.ada]
}

data "auth0_organization" "acme" {
  name       = auth0_organization.acme.name
  depends_on = [auth0_organization_connections.acme, auth0_organization_members.acme]
}

data "auth0_tenant" "settings" {
  depends_on = [auth0_tenant.settings]
}

data "auth0_signing_keys" "all" {}

output "found" {
  value = {
    client_method    = data.auth0_client.web.token_endpoint_auth_method
    connection       = data.auth0_connection.users.id == auth0_connection.users.id
    scopes           = sort([for scope in data.auth0_resource_server.things.scopes : scope.name])
    role_permissions = sort([for permission in data.auth0_role.reader.permissions : permission.name])
    user_roles       = length(data.auth0_user.ada.roles)
    user_permissions = sort([for permission in data.auth0_user.ada.permissions : permission.name])
    members          = data.auth0_organization.acme.members
    tenant           = data.auth0_tenant.settings.friendly_name
    signing_keys     = length([for key in data.auth0_signing_keys.all.signing_keys : key if key.current])
  }
}

output "native" {
  value = auth0_client.native.id
}

output "web" {
  value = auth0_client.web.id
}

output "role" {
  value = auth0_role.writer.id
}

output "action" {
  value = auth0_action.claims.id
}

output "user" {
  value = auth0_user.ada.id
}
