// Package hmacsigning signs and honours the URLs of results where one machine is the whole
// service: an HMAC with a key of that machine stands for the signing service of a cloud.
//
// A signed URL is the base URL, the name of the object as its last path elements, and the
// parameters expires (seconds since 1970, UTC), method, mime, name and signature. The
// signature is HMAC-SHA-256 (RFC 2104) over the object and all other parameters, so none
// can be changed; the base URL is not covered, so a proxy may give the service another.
package hmacsigning

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/signing"
)

// KeySize is the size of a key in bytes.
const KeySize = 32

// Signer is a [signing.Signer], and with [Signer.Handler] what honours its URLs.
type Signer struct {
	key  []byte
	base *url.URL // without a slash at its end
	now  func() time.Time
}

// New returns a signer of URLs below baseURL, an absolute http or https URL such as
// https://soda.example.org/files. The error is [fault.Usage].
func New(key []byte, baseURL string) (*Signer, error) {
	if len(key) != KeySize {
		return nil, fault.New(fault.Usage, "hmacsigning.New", "the signing key has %d bytes; want %d", len(key), KeySize)
	}
	base, err := url.Parse(strings.TrimRight(baseURL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, fault.New(fault.Usage, "hmacsigning.New", "the base %q of signed URLs is not an absolute http or https URL without user name, ? and #", baseURL)
	}
	return &Signer{key: key, base: base, now: time.Now}, nil
}

// SignedURL implements [signing.Signer].
func (s *Signer) SignedURL(_ context.Context, r signing.Request) (string, error) {
	if err := objects.CleanName(r.Object); err != nil {
		return "", err
	}
	r, err := r.Checked()
	if err != nil {
		return "", err
	}
	g := grant{object: r.Object, method: r.Method, name: r.Name, mime: r.MIME}
	// Up to the next second, so that the URL holds for no less than was asked.
	g.expires = strconv.FormatInt(s.now().Add(r.Expiry+time.Second-1).Unix(), 10)
	segments := strings.Split(r.Object, "/")
	for i, one := range segments {
		segments[i] = url.PathEscape(one)
	}
	u := s.base.JoinPath(segments...)
	u.RawQuery = url.Values{
		"expires": {g.expires}, "method": {g.method}, "name": {g.name}, "mime": {g.mime},
		"signature": {s.sign(g)},
	}.Encode()
	return u.String(), nil
}

// grant is what a signature covers.
type grant struct{ object, method, expires, name, mime string }

// sign returns the signature of g. No field can hold a newline: they are refused before
// signing, so the fields cannot be divided in another way.
func (s *Signer) sign(g grant) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(strings.Join([]string{"seltzer result 1", g.method, g.object, g.expires, g.name, g.mime}, "\n")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// verify returns what a URL grants, given its decoded path below the base, or
// [fault.Forbidden].
func (s *Signer) verify(object string, query url.Values) (grant, error) {
	for _, key := range []string{"expires", "method", "name", "mime", "signature"} {
		if len(query[key]) != 1 {
			return grant{}, fault.New(fault.Forbidden, "hmacsigning.verify", "this address of a result carries no signature, or not all of it")
		}
	}
	g := grant{
		object: object, method: query.Get("method"), expires: query.Get("expires"),
		name: query.Get("name"), mime: query.Get("mime"),
	}
	if !hmac.Equal([]byte(s.sign(g)), []byte(query.Get("signature"))) {
		return grant{}, fault.New(fault.Forbidden, "hmacsigning.verify", "the signature of this address does not fit it")
	}
	if end, err := strconv.ParseInt(g.expires, 10, 64); err != nil || s.now().Unix() >= end {
		return grant{}, fault.New(fault.Forbidden, "hmacsigning.verify", "this address of a result has expired")
	}
	return g, nil
}
