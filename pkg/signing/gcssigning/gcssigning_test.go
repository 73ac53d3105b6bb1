package gcssigning

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/option"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	_ "github.com/seltzer-soda/seltzer/pkg/objects/drivers"
	"github.com/seltzer-soda/seltzer/pkg/objects/gcstest"
	"github.com/seltzer-soda/seltzer/pkg/signing"
	"github.com/seltzer-soda/seltzer/pkg/signing/signingtest"
)

const (
	account = "signer@example.iam.gserviceaccount.com"
	bucket  = "results"
)

// keyFile holds a key that is made once.
var keyFile = sync.OnceValues(func() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "key.pem")
	return file, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
})

var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "gcssigning-"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(status)
}

func testKey(t *testing.T) (SignBytes, *rsa.PublicKey) {
	t.Helper()
	file, err := keyFile()
	if err != nil {
		t.Fatal(err)
	}
	sign, public, err := Key(file)
	if err != nil {
		t.Fatal(err)
	}
	return sign, public
}

// iam answers signBlob as IAM does, at first with the given statuses.
type iam struct {
	*httptest.Server
	calls atomic.Int32
}

func newIAM(t *testing.T, sign SignBytes, failures ...int) *iam {
	t.Helper()
	i := new(iam)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Payload string }
		n := int(i.calls.Add(1))
		if r.Method != http.MethodPost || r.URL.Path != "/v1/projects/-/serviceAccounts/"+account+":signBlob" || json.NewDecoder(r.Body).Decode(&in) != nil {
			t.Errorf("%s %s: want a POST of a JSON to signBlob of the account", r.Method, r.URL)
		}
		if n <= len(failures) {
			http.Error(w, `{"error":{"code":0,"message":"no"}}`, failures[n-1])
			return
		}
		text, err := base64.StdEncoding.DecodeString(in.Payload)
		if err != nil {
			t.Error(err)
		}
		signature, err := sign(r.Context(), text)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"keyId": "1", "signedBlob": base64.StdEncoding.EncodeToString(signature)})
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *iam) sign(t *testing.T) SignBytes {
	t.Helper()
	sign, err := IAM(t.Context(), account, option.WithEndpoint(i.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	return sign
}

func TestContract(t *testing.T) {
	for name, by := range map[string]func(t *testing.T, key SignBytes) SignBytes{
		"key": func(_ *testing.T, key SignBytes) SignBytes { return key },
		"IAM": func(t *testing.T, key SignBytes) SignBytes { return newIAM(t, key).sign(t) },
	} {
		t.Run(name, func(t *testing.T) {
			signingtest.Run(t, func(t *testing.T) (signing.Signer, func(string, []byte), *http.Client) {
				key, public := testKey(t)
				s, err := gcstest.Listen(t.Context(), "127.0.0.1:0", "127.0.0.1:0", "", account, public)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				s.CreateBucket(bucket)
				t.Setenv("STORAGE_EMULATOR_HOST", s.API)
				results, err := objects.OpenBucket(t.Context(), "gs://"+bucket)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { results.Close() })
				signer, err := New(Config{Bucket: bucket, Account: account, Sign: by(t, key), BaseURL: s.Public})
				if err != nil {
					t.Fatal(err)
				}
				return signer, func(name string, data []byte) { put(t, results, name, data) }, http.DefaultClient
			})
		})
	}
}

func put(t *testing.T, results *objects.Bucket, name string, data []byte) {
	t.Helper()
	w, err := results.Create(context.Background(), name, "application/octet-stream")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestIAMIsAskedAgain(t *testing.T) {
	key, _ := testKey(t)
	for _, tt := range []struct {
		name     string
		failures []int
		calls    int32
		code     fault.Code
	}{
		{"at once", nil, 1, ""},
		{"busy twice", []int{503, 429}, 3, ""},
		{"no right to sign", []int{403}, 1, fault.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := newIAM(t, key, tt.failures...)
			s, err := New(Config{Bucket: bucket, Account: account, Sign: i.sign(t)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.SignedURL(t.Context(), signing.Request{Object: "a.fits", Method: http.MethodGet, Expiry: time.Minute, MIME: "application/fits"})
			if fault.CodeOf(err) != tt.code || i.calls.Load() != tt.calls {
				t.Errorf("%v after %d calls; want %q after %d", err, i.calls.Load(), tt.code, tt.calls)
			}
		})
	}
}

func TestRefusesBadConfiguration(t *testing.T) {
	key, _ := testKey(t)
	good := Config{Bucket: bucket, Account: account, Sign: key}
	for name, change := range map[string]func(*Config){
		"no bucket":   func(c *Config) { c.Bucket = "" },
		"no account":  func(c *Config) { c.Account = "" },
		"no host":     func(c *Config) { c.BaseURL = "storage.example.org" },
		"a path":      func(c *Config) { c.BaseURL = "https://example.org/files" },
		"a bad URL":   func(c *Config) { c.BaseURL = "https://%zz" },
		"another one": func(c *Config) { c.BaseURL = "gs://results" },
	} {
		c := good
		change(&c)
		if _, err := New(c); !errors.Is(err, fault.Usage) {
			t.Errorf("%s: %v, want %s", name, err, fault.Usage)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".gone"} {
		if _, _, err := Key(file); !errors.Is(err, fault.Usage) {
			t.Errorf("the key in %s: %v, want %s", file, err, fault.Usage)
		}
	}
}
