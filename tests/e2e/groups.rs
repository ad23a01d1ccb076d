//! What an Action may look up about its user: groups and effective roles.

use action_api::Operations;
use end_to_end::{Login, TestServer, seed};
use idp::lookups::{Lookups, Subject};
use idp::manage::{self, NewOrganization, Roles};
use model::{GroupId, GroupScope, OrganizationId, OrganizationUsage, UserId};
use serde_json::{Value, json};

/// Ada in groups of each kind, with roles by them, in an organization, and directly.
struct World {
    server: TestServer,
    globex: OrganizationId,
    ada: UserId,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let (idp, acme, ada) = (&server.idp, server.acme(), server.user_id(seed::ADA).await);
        for role in ["direct", "by tenant", "by connection", "by organization", "in organization", "unused"] {
            manage::create_role(idp, &acme, role, None).await.unwrap();
        }
        let role = |name: &str| [name.to_owned()];
        let new = NewOrganization { name: "globex".to_owned(), ..NewOrganization::default() };
        let globex = manage::create_organization(idp, &acme, new).await.unwrap().id;
        manage::assign_roles(idp, &acme, &ada, Roles::Named(&role("direct"))).await.unwrap();
        let users = [ada.clone()];
        let roles = role("in organization");
        manage::add_organization_members(idp, &acme, &globex, &users, Roles::Named(&roles)).await.unwrap();
        let connection_id = {
            let mut tx = idp.storage.begin_read(&acme).await.unwrap();
            tx.user(&ada).await.unwrap().unwrap().connection_id
        };
        for (scope, roles) in [
            (GroupScope::Tenant, role("by tenant")),
            (GroupScope::Connection { connection_id }, role("by connection")),
            (GroupScope::Organization { organization_id: globex.clone() }, role("by organization")),
        ] {
            let group = manage::create_group(idp, &acme, "staff", Some("ext"), scope).await.unwrap();
            manage::add_to_group(idp, &acme, &group.id, &users, Roles::Named(&roles)).await.unwrap();
        }
        Self { server, globex, ada }
    }

    async fn ask(&self, in_globex: bool, kind: &str, input: Value) -> Result<Value, String> {
        let idp = &self.server.idp;
        let mut tx = idp.storage.begin_read(&self.server.acme()).await.unwrap();
        let user = tx.user(&self.ada).await.unwrap().unwrap();
        drop(tx);
        let subject = Subject {
            tenant: self.server.acme(),
            user: self.ada.clone(),
            connection: user.connection_id,
            organization: in_globex.then(|| self.globex.clone()),
        };
        Lookups { storage: idp.storage.clone(), subject }.start(kind, input).await
    }
}

/// The sorted names in a list of an answer.
fn names(answer: &Value, list: &str) -> Vec<String> {
    let entries = answer[list].as_array().unwrap_or_else(|| panic!("no {list}: {answer}"));
    let mut names: Vec<_> = entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn effective_roles_are_direct_ones_and_those_by_groups_of_the_logins_scope() {
    let world = World::new().await;
    let all = world.ask(false, "roles.effective", json!({})).await.unwrap();
    assert_eq!(names(&all, "roles"), ["by connection", "by tenant", "direct"]);
    let role = &all["roles"][0];
    assert!(role["id"].as_str().unwrap().starts_with("rol_") && role["type"] == "tenant", "{role}");
    assert_eq!(all.get("next"), None);
    let in_globex = world.ask(true, "roles.effective", json!({})).await.unwrap();
    assert_eq!(names(&in_globex, "roles"), ["by organization", "in organization"]);

    let ids: Vec<_> = all["roles"].as_array().unwrap().iter().map(|role| role["id"].clone()).collect();
    let by_ids = world.ask(false, "roles.effectiveByIds", json!([ids[0], "rol_unknown"])).await.unwrap();
    assert_eq!(by_ids, json!({ "roles": [all["roles"][0]] }));
    let wanted = json!(["direct", "unused", "in organization"]);
    let by_names = world.ask(false, "roles.effectiveByNames", wanted).await.unwrap();
    assert_eq!(names(&by_names, "roles"), ["direct"]);
}

#[tokio::test]
async fn pages_follow_each_other_until_there_is_no_next() {
    let world = World::new().await;
    for (kind, list) in [("roles.effective", "roles"), ("groups.ofUser", "groups")] {
        let all = world.ask(false, kind, json!({ "take": 100 })).await.unwrap();
        let (mut found, mut from) = (Vec::new(), Value::Null);
        for page in 0.. {
            let answer = world.ask(false, kind, json!({ "take": 1, "from": from })).await.unwrap();
            found.extend(answer[list].as_array().unwrap().clone());
            let Some(next) = answer.get("next") else { break };
            assert!(page < 3, "{kind} does not end");
            from = next.clone();
        }
        assert_eq!(found.len(), 3, "{kind}");
        assert_eq!(json!(found), all[list], "{kind}");
    }
}

#[tokio::test]
async fn groups_are_shown_with_where_they_count_and_since_when() {
    let world = World::new().await;
    let answer = world.ask(false, "groups.ofUser", json!({})).await.unwrap();
    let groups = answer["groups"].as_array().unwrap();
    assert_eq!(groups.iter().filter(|group| group.get("connection_id").is_some()).count(), 1);
    for group in groups {
        assert!(group["id"].as_str().unwrap().starts_with("grp_"), "{group}");
        for (name, value) in
            [("name", "staff"), ("external_id", "ext"), ("tenant_name", "acme"), ("assignment", "direct")]
        {
            assert_eq!(group[name], value, "{group}");
        }
        for name in ["created_at", "updated_at", "membership_created_at"] {
            assert!(group[name].as_str().unwrap().ends_with('Z'), "{group}");
        }
    }
}

#[tokio::test]
async fn membership_is_asked_for_by_id_or_name_in_the_groups_that_count_in_the_login() {
    let world = World::new().await;
    let kinds = |answer: &Value, input: &str| {
        let matches = answer["memberships"][input]["matches"].as_array().cloned().unwrap_or_default();
        let mut kinds: Vec<_> =
            matches.iter().map(|one| one["group_type"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds
    };
    let plain = world.ask(false, "groups.membership", json!(["staff", "other"])).await.unwrap();
    assert_eq!(kinds(&plain, "staff"), ["connection", "tenant"]);
    assert_eq!(plain["memberships"]["other"], json!({ "is_member": false }));
    let in_globex = world.ask(true, "groups.membership", json!(["staff"])).await.unwrap();
    assert_eq!(kinds(&in_globex, "staff"), ["connection", "organization", "tenant"]);
    let id = in_globex["memberships"]["staff"]["matches"][0]["id"].clone();
    let by_id = world.ask(true, "groups.membership", json!([id])).await.unwrap();
    let found = &by_id["memberships"][id.as_str().unwrap()];
    assert_eq!((&found["is_member"], &found["matches"][0]["id"]), (&json!(true), &id));
    // Out of the group, the user is no member.
    let (idp, acme) = (&world.server.idp, world.server.acme());
    let group = GroupId::new(id.as_str().unwrap());
    manage::remove_from_group(idp, &acme, &group, std::slice::from_ref(&world.ada), Roles::Ids(&[]))
        .await
        .unwrap();
    let by_id = world.ask(true, "groups.membership", json!([id])).await.unwrap();
    assert_eq!(by_id["memberships"][id.as_str().unwrap()], json!({ "is_member": false }));
}

#[tokio::test]
async fn limits_hold_for_a_guest_that_goes_around_the_scripts_checks() {
    let world = World::new().await;
    let many = |count: usize| json!(vec!["x"; count]);
    for (kind, input) in [
        ("roles.effective", json!({ "take": 0 })),
        ("roles.effective", json!({ "take": 101 })),
        ("roles.effective", json!({ "take": "1" })),
        ("groups.ofUser", json!({ "take": -1 })),
        ("groups.ofUser", json!({ "from": 1 })),
        ("roles.effectiveByIds", json!([])),
        ("roles.effectiveByIds", many(101)),
        ("roles.effectiveByNames", many(51)),
        ("roles.effectiveByNames", json!([1])),
        ("groups.membership", many(101)),
        ("groups.membership", json!("staff")),
        ("groups.all", json!({})),
    ] {
        assert!(world.ask(false, kind, input.clone()).await.is_err(), "{kind} {input}");
    }
    assert!(world.ask(false, "roles.effectiveByIds", many(100)).await.is_ok());
    assert!(world.ask(false, "roles.effectiveByNames", many(50)).await.is_ok());
}

#[tokio::test]
async fn an_action_asks_about_its_user_and_wrong_questions_reject() {
    let world = World::new().await;
    let script = "exports.onExecutePostLogin = async (event, api) => {
        const { memberships } = await api.groups.hasGroupMembership(['staff', 'other']);
        const [{ groups, next }, { roles }, byIds, byNames] = await Promise.all([
            api.groups.getUserGroups({ take: 2 }),
            api.roles.getUserEffectiveRoles(),
            api.roles.getUserEffectiveRolesByIds(['rol_unknown']),
            api.roles.getUserEffectiveRolesByNames(['direct', 'in organization']),
        ]);
        const rest = await api.groups.getUserGroups({ from: next });
        const wrong = [];
        for (const ask of [
            () => api.groups.getUserGroups({ take: 0 }),
            () => api.groups.getUserGroups({ take: 1.5 }),
            () => api.groups.getUserGroups({ from: 1 }),
            () => api.groups.hasGroupMembership([]),
            () => api.groups.hasGroupMembership('staff'),
            () => api.roles.getUserEffectiveRoles({ take: 101 }),
            () => api.roles.getUserEffectiveRolesByIds([]),
            () => api.roles.getUserEffectiveRolesByNames(new Array(51).fill('x')),
        ]) await ask().catch((error) => wrong.push(error.message));
        const names = (list) => list.map(({ name }) => name).sort();
        console.log(JSON.stringify({
            member: [memberships.staff.is_member, memberships.other.is_member],
            groups: [groups.length, rest.groups.length, rest.next === undefined],
            roles: names(roles), byIds: byIds.roles, byNames: names(byNames.roles), wrong,
        }));
    };";
    world.server.deploy_action("asks", script).await;
    let shown = |roles: Value, by_name: &str| {
        json!({
            "member": [true, false], "groups": [2, 1, true], "roles": roles, "byIds": [], "byNames": [by_name],
            "wrong": [
                "api.groups.getUserGroups: `take` must be a positive integer",
                "api.groups.getUserGroups: `take` must be a positive integer",
                "api.groups.getUserGroups: `from` must be a string",
                "api.groups.hasGroupMembership: `groups` must not be empty",
                "api.groups.hasGroupMembership: `groups` must be an array",
                "api.roles.getUserEffectiveRoles: `take` must be at most 100",
                "api.roles.getUserEffectiveRolesByIds: `ids` must not be empty",
                "api.roles.getUserEffectiveRolesByNames: `names` must have at most 50 entries",
            ],
        })
    };
    let allow = |client: &mut model::Client| client.organization_usage = OrganizationUsage::Allow;
    world.server.change_client(seed::WEB, allow).await;
    let browser = world.server.client();
    Login::web().code(&browser, seed::ADA).await;
    Login::web().with("organization", world.globex.as_str()).code_of_session(&browser).await;
    let plain = shown(json!(["by connection", "by tenant", "direct"]), "direct");
    let in_globex = shown(json!(["by organization", "in organization"]), "in organization");
    assert_eq!(world.server.printed().await, [plain, in_globex]);
}
