package gcssigning

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iamcredentials/v1"
	"google.golang.org/api/option"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// signTime is for one signature, with repetitions.
const signTime = 10 * time.Second

// IAM returns a function that has texts signed by IAM with a key of the account that nobody
// sees. It makes no call. The error is [fault.Usage]: there are no credentials.
func IAM(ctx context.Context, account string, options ...option.ClientOption) (SignBytes, error) {
	service, err := iamcredentials.NewService(context.WithoutCancel(ctx), options...)
	if err != nil {
		return nil, fault.New(fault.Usage, "gcssigning.IAM", "there are no credentials to have results signed with: %w", err)
	}
	return func(ctx context.Context, text []byte) (signature []byte, err error) {
		ctx, cancel := context.WithTimeout(ctx, signTime)
		defer cancel()
		request := &iamcredentials.SignBlobRequest{Payload: base64.StdEncoding.EncodeToString(text)}
		backoff := gax.Backoff{Initial: 100 * time.Millisecond, Max: 2 * time.Second}
		for {
			answer, err := service.Projects.ServiceAccounts.SignBlob("projects/-/serviceAccounts/"+account, request).Context(ctx).Do()
			if err == nil {
				return base64.StdEncoding.DecodeString(answer.SignedBlob)
			}
			if !transient(err) || gax.Sleep(ctx, backoff.Pause()) != nil {
				return nil, err
			}
		}
	}, nil
}

// transient reports whether asking IAM again may help.
func transient(err error) bool {
	answer, ok := errors.AsType[*googleapi.Error](err)
	return !ok || answer.Code == http.StatusTooManyRequests || answer.Code >= 500
}

// Key returns a function that signs with the RSA key in a file (PEM, PKCS #8), in place of
// IAM. The error is [fault.Usage].
func Key(file string) (SignBytes, *rsa.PublicKey, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- the operator's file
	if err != nil {
		return nil, nil, fault.New(fault.Usage, "gcssigning.Key", "the signing key cannot be read: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, fault.New(fault.Usage, "gcssigning.Key", "the file %q holds no key; want one in PEM, as openssl genpkey writes it", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, nil, fault.New(fault.Usage, "gcssigning.Key", "the file %q holds no RSA key in PKCS #8", file)
	}
	return func(_ context.Context, text []byte) ([]byte, error) {
		sum := sha256.Sum256(text)
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	}, &key.PublicKey, nil
}
