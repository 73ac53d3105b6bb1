// Package gcssigning signs the URLs of results in a Google Cloud Storage bucket: V4
// signatures in the name of a service account, which holds the right to read the bucket.
//
// No key is kept: the account has its texts signed by IAM (method signBlob), for which it
// needs roles/iam.serviceAccountTokenCreator on itself. A key stands for IAM in tests and
// on one machine.
package gcssigning

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"cloud.google.com/go/storage"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/signing"
)

// SignBytes returns the RSA signature (PKCS #1 v1.5, SHA-256) of text.
type SignBytes func(ctx context.Context, text []byte) ([]byte, error)

// Config says what is signed, and in whose name.
type Config struct {
	Bucket  string
	Account string    // e-mail address of the service account
	Sign    SignBytes // [IAM] or [Key]
	BaseURL string    // http or https, where the bucket is served; default https://storage.googleapis.com
}

// Signer is a [signing.Signer].
type Signer struct {
	config Config
	base   *url.URL
}

// New returns a signer. The error is [fault.Usage].
func New(c Config) (*Signer, error) {
	if c.Bucket == "" || c.Account == "" || c.Sign == nil {
		return nil, fault.New(fault.Usage, "gcssigning.New", "the results bucket %q or the signing account %q is not named; want both", c.Bucket, c.Account)
	}
	if c.BaseURL == "" {
		c.BaseURL = "https://storage.googleapis.com"
	}
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.Path != "" && base.Path != "/" || base.RawQuery != "" {
		return nil, fault.New(fault.Usage, "gcssigning.New", "the base %q of signed URLs is not an absolute http or https URL of a host alone", c.BaseURL)
	}
	return &Signer{config: c, base: base}, nil
}

// SignedURL implements [signing.Signer].
func (s *Signer) SignedURL(ctx context.Context, r signing.Request) (string, error) {
	if err := objects.CleanName(r.Object); err != nil {
		return "", err
	}
	r, err := r.Checked()
	if err != nil {
		return "", err
	}
	expires := time.Now().Add(min(r.Expiry+time.Second, signing.MaxExpiry)) // the storage counts whole seconds, of which one has begun
	signed, err := storage.SignedURL(s.config.Bucket, r.Object, &storage.SignedURLOptions{
		GoogleAccessID: s.config.Account,
		SignBytes:      func(text []byte) ([]byte, error) { return s.config.Sign(ctx, text) },
		Method:         http.MethodGet,
		Expires:        expires,
		Scheme:         storage.SigningSchemeV4,
		Hostname:       s.base.Host,
		Insecure:       s.base.Scheme == "http",
		QueryParameters: url.Values{
			"response-content-disposition": {signing.Disposition(r.Name)},
			"response-content-type":        {r.MIME},
		},
	})
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "gcssigning.SignedURL", "the result's address cannot be signed now; ask again later")
	}
	return signed, nil
}
