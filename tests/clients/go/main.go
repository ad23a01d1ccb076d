// The calls that the commands of `auth0` make, by the two SDKs that it is built on: go-auth0 v1 for Actions, applications,
// APIs and logs, v3 for sessions and refresh tokens. It says each command that did what it should, and ends at the first
// that did not.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/auth0/go-auth0"
	"github.com/auth0/go-auth0/management"
	managementv3 "github.com/auth0/go-auth0/v3/management/client"
	"github.com/auth0/go-auth0/v3/management/core"
	"github.com/auth0/go-auth0/v3/management/option"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// What the test tells: one line of JSON.
type config struct {
	Issuer string `json:"issuer"`
	Demo   struct {
		ManagementClient struct {
			ClientID     string `json:"client_id"`
			ClientSecret string `json:"client_secret"`
		} `json:"management_client"`
	} `json:"demo"`
}

var (
	lines = bufio.NewReader(os.Stdin)
	ctx   = context.Background()
	api   *management.Management
	apiv3 *managementv3.Management
	told  config
)

func main() {
	log.SetFlags(0)
	must(json.Unmarshal(line(), &told))
	issuer := must1(url.Parse(told.Issuer))
	client := told.Demo.ManagementClient
	// Its method is `client_secret_post`: HTTP Basic, which comes first, is refused, and the body is taken.
	token, tried := logInAs(issuer.Host, client.ClientID, client.ClientSecret)
	check(slices.Equal(tried, []string{client.ClientID, ""}), "requests with HTTP Basic of", tried)
	did("auth0 login")
	// As the tool makes them, but that what fails is seen at once.
	api = must1(management.New(issuer.Host, management.WithStaticToken(token), management.WithNoRetries()))
	apiv3 = must1(managementv3.New(issuer.Host, option.WithToken(token), option.WithoutRetries()))
	actions()
	apps()
	apis()
	sessions()
	refreshTokens()
	logs()
	basicClient(issuer.Host)
	ownTokens(issuer.Host)
}

// `auth0 login --domain --client-id --client-secret`: an access token, and with which clients HTTP Basic was tried.
func logInAs(host, id, secret string) (token string, tried []string) {
	seen := roundTripper(func(request *http.Request) (*http.Response, error) {
		user, _, _ := request.BasicAuth()
		tried = append(tried, user)
		return http.DefaultTransport.RoundTrip(request)
	})
	credentials := &clientcredentials.Config{
		ClientID:     id,
		ClientSecret: secret,
		TokenURL:     "https://" + host + "/oauth/token",
		EndpointParams: url.Values{
			"client_id": {id},
			"audience":  {"https://" + host + "/api/v2/"},
		},
	}
	watched := context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: seen})
	got := must1(credentials.Token(watched))
	check(!got.Expiry.IsZero(), "a token without an end")
	// The tool takes none that is no JWT.
	claims := claimsOf(got.AccessToken)
	check(claims["aud"] == "https://"+host+"/api/v2/", "aud", claims["aud"])
	return got.AccessToken, tried
}

// A client of the method `client_secret_basic` needs one request only, although it is named in the body as well.
func basicClient(host string) {
	made := &management.Client{
		Name:                    auth0.String("Command line"),
		AppType:                 auth0.String("non_interactive"),
		GrantTypes:              &[]string{"client_credentials"},
		TokenEndpointAuthMethod: auth0.String("client_secret_basic"),
	}
	must(api.Client.Create(ctx, made))
	must(api.ClientGrant.Create(ctx, &management.ClientGrant{
		ClientID: made.ClientID,
		Audience: auth0.String("https://" + host + "/api/v2/"),
		Scope:    &[]string{"read:actions"},
	}))
	token, tried := logInAs(host, made.GetClientID(), made.GetClientSecret())
	check(len(tried) == 1 && tried[0] == made.GetClientID(), "requests with HTTP Basic of", tried)
	of := must1(management.New(host, management.WithStaticToken(token), management.WithNoRetries()))
	must1(of.Action.List(ctx))
	_, err := of.Client.List(ctx)
	refused(http.StatusForbidden, err)
	must(api.Client.Delete(ctx, made.GetClientID()))
	did("auth0 login with HTTP Basic")
}

// Both SDKs get their tokens themselves as well.
func ownTokens(host string) {
	client := told.Demo.ManagementClient
	v1 := must1(management.New(host, management.WithClientCredentials(ctx, client.ClientID, client.ClientSecret)))
	must1(v1.Tenant.Read(ctx))
	v3 := must1(managementv3.New(host, option.WithClientCredentials(ctx, client.ClientID, client.ClientSecret)))
	must1(v3.Actions.Triggers.List(ctx))
	did("client credentials of the SDKs")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (send roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	return send(request)
}

// Tokens of a login.
type tokens struct {
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Session      string `json:"-"`
	User         string `json:"-"`
}

// The test's browser logs the user in at a native application, without cookies.
func logIn() tokens {
	const callback, verifier = "http://127.0.0.1:8765/callback", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {"demo-native"},
		"redirect_uri":          {callback},
		"scope":                 {"openid offline_access"},
		"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		"code_challenge_method": {"S256"},
	}
	wish := map[string]any{"visit": told.Issuer + "authorize?" + query.Encode(), "until": callback, "fresh": true}
	fmt.Println(string(must1(json.Marshal(wish))))
	var arrival struct {
		URL string `json:"url"`
	}
	must(json.Unmarshal(line(), &arrival))
	code := must1(url.Parse(arrival.URL)).Query().Get("code")
	answer := must1(http.PostForm(told.Issuer+"oauth/token", url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {"demo-native"},
		"code":          {code},
		"redirect_uri":  {callback},
		"code_verifier": {verifier},
	}))
	defer answer.Body.Close()
	check(answer.StatusCode == http.StatusOK, "token endpoint", answer.Status)
	var got tokens
	must(json.NewDecoder(answer.Body).Decode(&got))
	claims := claimsOf(got.IDToken)
	got.Session, got.User = claims["sid"].(string), claims["sub"].(string)
	return got
}

// The status with which its refresh token is answered.
func (of tokens) refresh() int {
	answer := must1(http.PostForm(told.Issuer+"oauth/token", url.Values{
		"grant_type":    {"refresh_token"},
		"client_id":     {"demo-native"},
		"refresh_token": {of.RefreshToken},
	}))
	defer answer.Body.Close()
	return answer.StatusCode
}

func claimsOf(jwt string) map[string]any {
	parts := strings.Split(jwt, ".")
	check(len(parts) == 3, "no JWT", jwt)
	var claims map[string]any
	must(json.Unmarshal(must1(base64.RawURLEncoding.DecodeString(parts[1])), &claims))
	return claims
}

// Ends the program unless the call was refused with this status.
func refused(status int, err error) {
	var v1 management.Error
	var v3 *core.APIError
	switch {
	case errors.As(err, &v1):
		check(v1.Status() == status, "expected", status, "but", err)
	case errors.As(err, &v3):
		check(v3.StatusCode == status, "expected", status, "but", err)
	default:
		check(false, "expected", status, "but", err)
	}
}

func line() []byte { return must1(lines.ReadBytes('\n')) }

func did(command string) { fmt.Println(command) }

func must(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func must1[T any](value T, err error) T {
	must(err)
	return value
}

func check(holds bool, otherwise ...any) {
	if !holds {
		log.Panic(fmt.Sprintln(otherwise...))
	}
}
