# The resources that manage one of something, and leave the others.

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

resource "auth0_action" "each" {
  count  = 2
  name   = "each-${count.index}"
  deploy = true
  code   = "exports.onExecutePostLogin = async () => {}"

  supported_triggers {
    id      = "post-login"
    version = "v3"
  }
}

resource "auth0_trigger_action" "first" {
  trigger      = "post-login"
  action_id    = auth0_action.each[0].id
  display_name = var.changed ? "The first one" : "First"
}

resource "auth0_trigger_action" "second" {
  trigger    = "post-login"
  action_id  = auth0_action.each[1].id
  depends_on = [auth0_trigger_action.first]
}

resource "auth0_client" "app" {
  count    = 2
  name     = "App ${count.index}"
  app_type = "native"
}

resource "auth0_connection" "users" {
  name     = "one-by-one"
  strategy = "auth0"
}

resource "auth0_connection_client" "app" {
  count         = var.changed ? 1 : 2
  connection_id = auth0_connection.users.id
  client_id     = auth0_client.app[count.index].id
}

resource "auth0_resource_server" "things" {
  name       = "Things"
  identifier = "https://one-by-one.example/"
}

resource "auth0_resource_server_scope" "things" {
  for_each                   = toset(["read:things", "write:things"])
  resource_server_identifier = auth0_resource_server.things.identifier
  scope                      = each.key
  description                = var.changed ? "Things" : each.key
}

resource "auth0_role" "reader" {
  name = "One by one"
}

resource "auth0_role_permission" "reader" {
  role_id                    = auth0_role.reader.id
  resource_server_identifier = auth0_resource_server.things.identifier
  permission                 = auth0_resource_server_scope.things[var.changed ? "write:things" : "read:things"].scope
}

resource "auth0_user" "grace" {
  connection_name = auth0_connection.users.name
  email           = "grace@terraform.example"
  password        = "correct horse battery staple"
}

resource "auth0_user_role" "grace" {
  user_id = auth0_user.grace.id
  role_id = auth0_role.reader.id
}

resource "auth0_user_permission" "grace" {
  user_id                    = auth0_user.grace.id
  resource_server_identifier = auth0_resource_server.things.identifier
  permission                 = auth0_resource_server_scope.things["read:things"].scope
}

resource "auth0_organization" "acme" {
  name         = "one-by-one"
  display_name = "One by one"
}

resource "auth0_organization_connection" "acme" {
  organization_id            = auth0_organization.acme.id
  connection_id              = auth0_connection.users.id
  assign_membership_on_login = var.changed
}

resource "auth0_organization_member" "grace" {
  organization_id = auth0_organization.acme.id
  user_id         = auth0_user.grace.id
}

resource "auth0_organization_member_role" "grace" {
  organization_id = auth0_organization.acme.id
  user_id         = auth0_user.grace.id
  role_id         = auth0_role.reader.id
  depends_on      = [auth0_organization_member.grace]
}
