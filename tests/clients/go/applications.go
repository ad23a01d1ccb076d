package main

import (
	"net/http"
	"slices"

	"github.com/auth0/go-auth0"
	"github.com/auth0/go-auth0/management"
)

// `auth0 apps ...`, above all `auth0 apps session-transfer show|update`.
func apps() {
	made := &management.Client{
		Name:      auth0.String("Web"),
		AppType:   auth0.String("regular_web"),
		Callbacks: &[]string{"https://web.example/callback"},
	}
	must(api.Client.Create(ctx, made))
	check(made.GetClientSecret() != "", "no secret of", made)
	did("auth0 apps create")

	show := func() *management.SessionTransfer {
		return must1(api.Client.Read(ctx, made.GetClientID())).GetSessionTransfer()
	}
	change := func(to management.SessionTransfer) {
		must(api.Client.Update(ctx, made.GetClientID(), &management.Client{SessionTransfer: &to}))
	}
	// The tool prints its defaults then.
	shown := show()
	check(shown == nil, "what nobody has set", shown)
	did("auth0 apps session-transfer show")

	change(management.SessionTransfer{
		AllowedAuthenticationMethods: &[]string{"cookie", "query"},
		EnforceDeviceBinding:         auth0.String("none"),
		AllowRefreshToken:            auth0.Bool(true),
	})
	// --can-create-token alone leaves the others.
	change(management.SessionTransfer{CanCreateSessionTransferToken: auth0.Bool(true)})
	shown = show()
	check(shown.GetCanCreateSessionTransferToken(), "can_create_session_transfer_token of", shown)
	check(slices.Equal(shown.GetAllowedAuthenticationMethods(), []string{"cookie", "query"}), "methods of", shown)
	check(shown.GetEnforceDeviceBinding() == "none" && shown.GetAllowRefreshToken(), "the others of", shown)
	change(management.SessionTransfer{AllowedAuthenticationMethods: &[]string{"cookie"}})
	shown = show()
	check(slices.Equal(shown.GetAllowedAuthenticationMethods(), []string{"cookie"}), "methods of", shown)
	check(shown.GetCanCreateSessionTransferToken() && shown.GetEnforceDeviceBinding() == "none", "the others of", shown)
	err := api.Client.Update(ctx, made.GetClientID(), &management.Client{
		SessionTransfer: &management.SessionTransfer{EnforceDeviceBinding: auth0.String("soul")},
	})
	refused(http.StatusBadRequest, err)
	did("auth0 apps session-transfer update")

	rotated := must1(api.Client.RotateSecret(ctx, made.GetClientID()))
	check(rotated.GetClientSecret() != made.GetClientSecret(), "not rotated", rotated)
	did("auth0 apps rotate-secret")

	var names []string
	for page := 0; ; page++ {
		list := must1(api.Client.List(ctx, management.Page(page), management.PerPage(2), management.Parameter("is_global", "false")))
		for _, client := range list.Clients {
			names = append(names, client.GetName())
		}
		if !list.HasNext() {
			check(len(names) == list.Total, "total", list.Total, "of", names)
			break
		}
	}
	check(slices.Contains(names, "Web"), "list", names)
	did("auth0 apps list")

	must(api.Client.Delete(ctx, made.GetClientID()))
	_, err = api.Client.Read(ctx, made.GetClientID())
	refused(http.StatusNotFound, err)
	did("auth0 apps delete")
}

// `auth0 apis ...`.
func apis() {
	made := &management.ResourceServer{
		Name:       auth0.String("Things"),
		Identifier: auth0.String("https://things.example/"),
		Scopes:     &[]management.ResourceServerScope{{Value: auth0.String("read:things"), Description: auth0.String("Read")}},
	}
	must(api.ResourceServer.Create(ctx, made))
	change := &management.ResourceServer{TokenLifetime: auth0.Int(600), AllowOfflineAccess: auth0.Bool(true)}
	must(api.ResourceServer.Update(ctx, made.GetID(), change))
	shown := must1(api.ResourceServer.Read(ctx, "https://things.example/"))
	check(shown.GetID() == made.GetID() && shown.GetTokenLifetime() == 600, "shown", shown)
	check(shown.GetScopes()[0].GetValue() == "read:things", "scopes of", shown)
	list := must1(api.ResourceServer.List(ctx, management.PerPage(100)))
	check(len(list.ResourceServers) == list.Total && list.Total > 1, "list", list)
	must(api.ResourceServer.Delete(ctx, made.GetID()))
	_, err := api.ResourceServer.Read(ctx, made.GetID())
	refused(http.StatusNotFound, err)
	did("auth0 apis create|update|show|list|delete")
}
