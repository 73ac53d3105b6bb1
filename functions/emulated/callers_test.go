package emulated

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/auth/tokens/tokenstest"
)

// Who may call which route, where callers must prove who they are. A push that is let in
// names a job that is not there, which is acknowledged.
func TestCallersProveWhoTheyAre(t *testing.T) {
	i := tokenstest.New(t)
	c := start(t, "SELTZER_INSECURE=false", "SELTZER_TOKEN_ISSUER="+i.URL)
	const push, sweep, soda = "push@example.org", "sweep@example.org", "soda@example.org"
	here := c.URL // the audience
	tokens := map[string]string{
		"nobody":                        "",
		"the push account":              i.Token(t, push, here, nil),
		"the scheduler":                 i.Token(t, sweep, here, nil),
		"soda":                          i.Token(t, soda, here, nil),
		"a stranger":                    i.Token(t, "eve@example.org", here, nil),
		"for another function":          i.Token(t, push, "https://other.example.org", nil),
		"an expired one":                i.Token(t, push, here, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"signed by another key":         i.Sign(t, "RS256", tokenstest.NewKey(t), "1", push, here, nil),
		"of a secret key that all know": i.Sign(t, "HS256", i.Public().N.Bytes(), "1", push, here, nil),
		"whose algorithm is none":       "eyJhbGciOiJub25lIn0." + strings.Split(i.Token(t, push, here, nil), ".")[1] + ".",
		"whose signature is gone":       strings.Join(strings.Split(i.Token(t, push, here, nil), ".")[:2], ".") + ".SIGNATURE_REMOVED_BY_GOOGLE",
	}
	message := `{"message":{"data":"` + base64.StdEncoding.EncodeToString([]byte("none")) + `","messageId":"1"},"subscription":"s"}`
	for _, route := range []struct {
		address, body string
		allowed       string // whom
		status        int    // for them
	}{
		{c.url(cloud.Cutout) + "/", message, "the push account", http.StatusNoContent},
		{c.url(cloud.Cutout) + "/dead-letter", message, "the push account", http.StatusNoContent},
		{c.url(cloud.Cutout) + "/sweep", "", "the scheduler", http.StatusOK},
		{c.url(cloud.Signer) + "/sign", `{"job":"none","result":"result"}`, "soda", http.StatusUnprocessableEntity},
	} {
		for name, token := range tokens {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, route.address, strings.NewReader(route.body))
			if err != nil {
				t.Fatal(err)
			}
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			answer, err := still.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			want := http.StatusUnauthorized
			switch name {
			case route.allowed:
				want = route.status
			case "the push account", "the scheduler", "soda", "a stranger":
				want = http.StatusForbidden
			}
			if answer.StatusCode != want {
				t.Errorf("%s, by %s: %s, want %d", route.address, name, answer.Status, want)
			}
		}
	}
}
