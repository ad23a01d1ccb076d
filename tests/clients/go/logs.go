package main

import (
	"fmt"

	"github.com/auth0/go-auth0/management"
)

// `auth0 logs list` and `auth0 logs tail`.
func logs() {
	latest := func(more ...management.RequestOption) []*management.Log {
		options := append([]management.RequestOption{
			management.Parameter("sort", "date:-1"),
			management.Parameter("page", "0"),
			management.Parameter("per_page", "100"),
		}, more...)
		return must1(api.Log.List(ctx, options...))
	}
	list := latest()
	check(len(list) > 10, "entries", len(list))
	for next := 1; next < len(list); next++ {
		check(!list[next].GetDate().After(list[next-1].GetDate()), "order of", list[next-1], list[next])
	}
	logins := latest(management.Query("type:s"))
	check(len(logins) > 0, "no logins")
	for _, entry := range logins {
		check(entry.GetType() == "s" && entry.TypeName() == "Success Login", "a login", entry)
		check(entry.GetClientID() == "demo-native" && entry.GetUserID() != "", "a login", entry)
	}
	shown := must1(api.Log.Read(ctx, list[0].GetLogID()))
	check(shown.GetID() == list[0].GetID(), "shown", shown)
	did("auth0 logs list")

	// The last entry is in the answer again, and the tool drops it.
	since := func(last string) []*management.Log {
		return latest(management.Query(fmt.Sprintf("log_id:[%s TO *]", last)))
	}
	last := latest()[0].GetLogID()
	entries := since(last)
	check(len(entries) == 1 && entries[0].GetLogID() == last, "since", last, entries)
	logIn()
	entries = since(last)
	check(len(entries) > 1 && entries[len(entries)-1].GetLogID() == last, "since", last, entries)
	kinds := map[string]bool{}
	for _, entry := range entries {
		kinds[entry.GetType()] = true
	}
	check(kinds["s"] && kinds["seacft"], "kinds", kinds)
	did("auth0 logs tail")
}
