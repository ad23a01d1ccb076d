package main

import (
	"net/http"
	"strings"

	"github.com/auth0/go-auth0"
	"github.com/auth0/go-auth0/management"
)

const script = `
exports.onExecutePostLogin = async (event, api) => {
  api.idToken.setCustomClaim('https://app.example/version', 'NUMBER ' + event.secrets.SUFFIX)
}
`

func numbered(number string) string { return strings.Replace(script, "NUMBER", number, 1) }

// `auth0 actions ...`.
func actions() {
	// create: the trigger is one of those that are current.
	var trigger *management.ActionTrigger
	for _, known := range must1(api.Action.Triggers(ctx)).Triggers {
		if known.GetID() == "post-login" && known.GetStatus() == "CURRENT" {
			trigger = known
		}
	}
	check(trigger != nil, "no current post-login")
	// `postern dev` has one already.
	before := must1(api.Action.List(ctx, management.PerPage(100))).Total
	made := &management.Action{
		Name:              auth0.String("adds-version"),
		SupportedTriggers: []management.ActionTrigger{{ID: trigger.ID, Version: trigger.Version}},
		// Without --runtime and --dependency.
		Runtime:      auth0.String(""),
		Code:         auth0.String(numbered("one")),
		Dependencies: &[]management.ActionDependency{},
		Secrets:      &[]management.ActionSecret{{Name: auth0.String("SUFFIX"), Value: auth0.String("kept")}},
	}
	must(api.Action.Create(ctx, made))
	check(made.GetRuntime() == "node22" && made.GetStatus() == management.ActionStatusBuilt, "made", made)
	did("auth0 actions create")

	list := must1(api.Action.List(ctx, management.PerPage(100)))
	check(len(list.Actions) == before+1 && list.Total == before+1, "list", list)
	did("auth0 actions list")
	// The picker of `deploy`.
	list = must1(api.Action.List(ctx, management.Parameter("deployed", "false")))
	check(len(list.Actions) == 1 && list.Actions[0].GetID() == made.GetID(), "not deployed", list)

	shown := must1(api.Action.Read(ctx, made.GetID()))
	check(shown.GetCode() == numbered("one") && shown.GetSecrets()[0].GetValue() == "", "shown", shown)
	did("auth0 actions show")

	deploy := func() *management.Action {
		must1(api.Action.Deploy(ctx, made.GetID()))
		return must1(api.Action.Read(ctx, made.GetID()))
	}
	deployed := deploy()
	check(deployed.AllChangesDeployed && deployed.GetDeployedVersion().Number == 1, "deployed", deployed)
	list = must1(api.Action.List(ctx, management.Parameter("deployed", "false")))
	check(len(list.Actions) == 0, "not deployed", list)
	did("auth0 actions deploy")

	// update --code: what is read goes back with it.
	old := must1(api.Action.Read(ctx, made.GetID()))
	changed := &management.Action{Name: old.Name, SupportedTriggers: old.SupportedTriggers, Code: auth0.String(numbered("two"))}
	must(api.Action.Update(ctx, old.GetID(), changed))
	check(changed.GetCode() == numbered("two") && !changed.AllChangesDeployed, "changed", changed)
	check(len(changed.GetSecrets()) == 1, "secrets of", changed)
	did("auth0 actions update")
	check(deploy().GetDeployedVersion().Number == 2, "second version")

	// diff: pages until there are as many as `total` says.
	var versions []*management.ActionVersion
	for _, page := range []string{"0", "1"} {
		part := must1(api.Action.Versions(ctx, made.GetID(), management.Parameter("page", page), management.Parameter("per_page", "1")))
		check(part.Total == 2 && len(part.Versions) == 1, "versions", part)
		versions = append(versions, part.Versions...)
	}
	all := must1(api.Action.Versions(ctx, made.GetID(), management.Parameter("page", "0"), management.Parameter("per_page", "50")))
	check(all.Total == 2 && len(all.Versions) == 2, "all versions", all)
	check(all.Versions[0].GetID() == versions[0].GetID() && all.Versions[1].GetID() == versions[1].GetID(), "order", all)
	code := map[int]string{}
	for _, version := range all.Versions {
		code[version.Number] = version.GetCode()
		check(version.Deployed == (version.Number == 2), "which is deployed", version)
	}
	check(code[1] == numbered("one") && code[2] == numbered("two"), "code of versions", code)
	did("auth0 actions diff")

	must(api.Action.Delete(ctx, made.GetID()))
	_, err := api.Action.Read(ctx, made.GetID())
	refused(http.StatusNotFound, err)
	check(must1(api.Action.List(ctx, management.PerPage(100))).Total == before, "it is still there")
	did("auth0 actions delete")
}
