package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/auth0/go-auth0/v3/management"
	"github.com/auth0/go-auth0/v3/management/core"
)

// `auth0 sessions ...` and `auth0 users sessions ...`.
func sessions() {
	first, second := logIn(), logIn()
	shown := must1(apiv3.Sessions.Get(ctx, first.Session))
	check(shown.GetUserID() == first.User && shown.GetID() == first.Session, "shown", shown)
	check(!shown.CreatedAt.DateTime.IsZero() && shown.ExpiresAt.DateTime.After(shown.CreatedAt.DateTime), "times of", shown)
	check(len(shown.Clients) == 1 && shown.Clients[0].GetClientID() == "demo-native", "clients of", shown)
	did("auth0 sessions show")

	update := func(metadata map[string]any) map[string]any {
		change := &management.UpdateSessionRequestContent{SessionMetadata: &metadata}
		must1(apiv3.Sessions.Update(ctx, first.Session, change))
		return must1(apiv3.Sessions.Get(ctx, first.Session)).GetSessionMetadata()
	}
	check(update(map[string]any{"device": "blue"})["device"] == "blue", "metadata is not there")
	check(len(update(map[string]any{})) == 0, "metadata is still there")
	did("auth0 sessions update")

	list := func(take *int) (ids []string) {
		request := &management.ListUserSessionsRequestParameters{Take: take}
		page, err := apiv3.Users.Sessions.List(ctx, first.User, request)
		for _, session := range pages(page, err) {
			ids = append(ids, session.GetID())
		}
		return ids
	}
	all := list(nil)
	check(slices.Contains(all, first.Session) && slices.Contains(all, second.Session), "list", all)
	one := 1
	check(slices.Equal(list(&one), all), "one by one", list(&one), "at once", all)
	did("auth0 users sessions list")

	must(apiv3.Sessions.Delete(ctx, first.Session))
	_, err := apiv3.Sessions.Get(ctx, first.Session)
	refused(http.StatusNotFound, err)
	check(first.refresh() == http.StatusOK, "its refresh tokens went with it")
	did("auth0 sessions delete")
	must(apiv3.Sessions.Revoke(ctx, second.Session))
	_, err = apiv3.Sessions.Get(ctx, second.Session)
	refused(http.StatusNotFound, err)
	check(second.refresh() == http.StatusForbidden, "its refresh tokens are still there")
	did("auth0 sessions revoke")

	third := logIn()
	must(apiv3.Users.Sessions.Delete(ctx, third.User))
	_, err = apiv3.Sessions.Get(ctx, third.Session)
	refused(http.StatusNotFound, err)
	check(len(list(nil)) == 0, "a session is left")
	did("auth0 users sessions delete")
}

// `auth0 refresh-tokens ...` and `auth0 users refresh-tokens ...`.
func refreshTokens() {
	first, second := logIn(), logIn()
	list := func(take *int) (ids []string) {
		request := &management.ListRefreshTokensRequestParameters{Take: take}
		page, err := apiv3.Users.RefreshToken.List(ctx, first.User, request)
		for _, token := range pages(page, err) {
			ids = append(ids, token.GetID())
		}
		return ids
	}
	of := func(login tokens) string {
		for _, id := range list(nil) {
			session := must1(apiv3.RefreshTokens.Get(ctx, id)).GetSessionID()
			if session != nil && *session == login.Session {
				return id
			}
		}
		panic("no refresh token of the session " + login.Session)
	}
	all, one := list(nil), 1
	check(len(all) >= 2 && slices.Equal(list(&one), all), "one by one", list(&one), "at once", all)
	did("auth0 users refresh-tokens list")

	shown := must1(apiv3.RefreshTokens.Get(ctx, of(first)))
	check(shown.GetUserID() == first.User && shown.GetClientID() == "demo-native", "shown", shown)
	check(!shown.CreatedAt.DateTime.IsZero() && shown.GetRotating(), "shown", shown)
	did("auth0 refresh-tokens show")
	update := func(metadata map[string]any) map[string]any {
		change := &management.UpdateRefreshTokenRequestContent{RefreshTokenMetadata: &metadata}
		must1(apiv3.RefreshTokens.Update(ctx, shown.GetID(), change))
		return must1(apiv3.RefreshTokens.Get(ctx, shown.GetID())).GetRefreshTokenMetadata()
	}
	check(update(map[string]any{"device": "blue"})["device"] == "blue", "metadata is not there")
	check(len(update(map[string]any{})) == 0, "metadata is still there")
	did("auth0 refresh-tokens update")

	must(apiv3.RefreshTokens.Delete(ctx, of(first)))
	check(first.refresh() == http.StatusForbidden, "it is still there")
	did("auth0 refresh-tokens delete")
	must(apiv3.RefreshTokens.Revoke(ctx, &management.RevokeRefreshTokensRequestContent{IDs: []string{of(second)}}))
	check(second.refresh() == http.StatusForbidden, "it is still there")
	third, client := logIn(), "demo-native"
	must(apiv3.RefreshTokens.Revoke(ctx, &management.RevokeRefreshTokensRequestContent{UserID: &third.User, ClientID: &client}))
	check(third.refresh() == http.StatusForbidden, "it is still there")
	did("auth0 refresh-tokens revoke")

	fourth := logIn()
	must(apiv3.Users.RefreshToken.Delete(ctx, fourth.User))
	check(fourth.refresh() == http.StatusForbidden && len(list(nil)) == 0, "one is left")
	did("auth0 users refresh-tokens delete")
}

// The rows of all pages, as the tool gathers them.
func pages[T, R any](page *core.Page[*string, T, R], err error) (rows []T) {
	for {
		if errors.Is(err, core.ErrNoPages) {
			return rows
		}
		must(err)
		rows = append(rows, page.Results...)
		page, err = page.GetNextPage(context.Background())
	}
}
