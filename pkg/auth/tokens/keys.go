package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// How often keys are fetched. A stranger can name keys that nobody has as often as they
// like, and must not make the service a burden to the issuer.
const (
	keysAgain = 15 * time.Second // between two fetches …
	keysFirst = time.Second      // … while there are no keys
	keysHold  = time.Hour        // then they are fetched anew, so that one that was withdrawn is not believed for ever
	keysTime  = 10 * time.Second // for one fetch
	maxKeys   = 1 << 20          // bytes of the issuer's documents
)

// errUnknownKey says that no key verifies a token.
var errUnknownKey = errors.New("no key of the issuer verifies the signature")

// keySet holds the keys of an issuer. It implements oidc.KeySet.
type keySet struct {
	issuer, url string // url "": the issuer's discovery document knows it
	algorithms  []jose.SignatureAlgorithm
	client      *http.Client
	now         func() time.Time

	fetching sync.Mutex // held by who fetches

	mu      sync.RWMutex
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were fetched
	tried   time.Time // when they were last asked for …
	failed  error     // … and what came of it
}

func newKeySet(c Config) *keySet {
	s := &keySet{issuer: c.Issuer, url: c.KeysURL, client: &http.Client{Timeout: keysTime}, now: time.Now}
	for _, a := range c.Algorithms {
		s.algorithms = append(s.algorithms, jose.SignatureAlgorithm(a))
	}
	return s
}

// ready is nil if there are keys, old ones perhaps where the issuer does not answer. The
// error is [fault.Unavailable].
func (s *keySet) ready(ctx context.Context) error {
	s.mu.RLock()
	old, none := s.now().Sub(s.fetched) > keysHold, len(s.keys) == 0
	s.mu.RUnlock()
	if !old && !none {
		return nil
	}
	if err := s.refresh(ctx); err != nil && none {
		return fault.Wrap(err, fault.Unavailable, "tokens.Verify", "tokens cannot be verified at the moment: %s does not give its keys; ask again later", s.issuer)
	}
	return nil
}

// VerifySignature returns the payload of a token that one of the keys verifies.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, s.algorithms)
	if err != nil {
		return nil, err
	}
	payload, err := s.verify(signed)
	if errors.Is(err, errUnknownKey) && s.refresh(ctx) == nil {
		payload, err = s.verify(signed)
	}
	return payload, err
}

// verify tries the key that a token names, or all if it names none. The error is
// errUnknownKey if there was none to try, or none of all fitted.
func (s *keySet) verify(signed *jose.JSONWebSignature) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id := signed.Signatures[0].Header.KeyID
	result := errUnknownKey
	for _, key := range s.keys {
		if id != "" && key.KeyID != id {
			continue
		}
		payload, err := signed.Verify(key)
		if err == nil {
			return payload, nil
		}
		if id != "" {
			result = err
		}
	}
	return nil, result
}

// refresh fetches the keys, unless that was tried a moment ago. Who comes while they are
// fetched waits for them.
func (s *keySet) refresh(ctx context.Context) error {
	came := s.now()
	s.fetching.Lock()
	defer s.fetching.Unlock()
	s.mu.RLock()
	since, again := s.now().Sub(s.tried), keysAgain
	if len(s.keys) == 0 {
		again = keysFirst
	}
	tried, failed := s.tried.After(came), s.failed
	s.mu.RUnlock()
	switch {
	case tried: // while this one waited
		return failed
	case since < again:
		return errUnknownKey
	}
	keys, err := s.fetch(context.WithoutCancel(ctx)) // others wait for them, too
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.failed = s.now(), err
	if err == nil {
		s.keys, s.fetched = keys, s.tried
	}
	return err
}

// fetch gets the public keys of the issuer.
func (s *keySet) fetch(ctx context.Context) (keys []jose.JSONWebKey, err error) {
	address := s.url
	if address == "" {
		var discovered struct {
			Issuer  string `json:"issuer"`
			KeysURL string `json:"jwks_uri"`
		}
		if err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration", &discovered); err != nil {
			return nil, err
		}
		if discovered.Issuer != s.issuer {
			return nil, fmt.Errorf("the discovery document of %s is that of %q", s.issuer, discovered.Issuer)
		}
		if err := trustworthy(discovered.KeysURL); err != nil {
			return nil, err
		}
		address = discovered.KeysURL
	}
	var all struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.get(ctx, address, &all); err != nil {
		return nil, err
	}
	for _, text := range all.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) != nil {
			continue // of a kind that is not known (RFC 7517, section 5)
		}
		if key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no public key for signatures", address)
	}
	return keys, nil
}

func (s *keySet) get(ctx context.Context, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxKeys)).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}
