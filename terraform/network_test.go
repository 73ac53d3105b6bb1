package terraform

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// network stands for the network between the functions: whoever asks for one of the hosts, by
// HTTPS through the proxy, reaches an address of this machine.
type network struct {
	proxy, door *httptest.Server // the door is where all hosts lead
	authority   *x509.Certificate
	file        string // that holds the authority
}

func newNetwork(t *testing.T, addresses map[string]string) *network {
	t.Helper()
	n := &network{}
	certificate := n.certify(t, slices.Collect(maps.Keys(addresses)))
	n.door = httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: addresses[r.In.Host]})
		r.Out.Host = r.In.Host
	}})
	n.door.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	n.door.StartTLS()
	t.Cleanup(n.door.Close)
	n.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		if _, known := addresses[host]; !known || r.Method != http.MethodConnect {
			http.Error(w, "there is no way to "+r.Host, http.StatusBadGateway)
			return
		}
		n.connect(w)
	}))
	t.Cleanup(n.proxy.Close)
	return n
}

// certify makes the certificate of some hosts, which is its own authority.
func (n *network) certify(t *testing.T, hosts []string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err == nil {
		n.authority, err = x509.ParseCertificate(der)
	}
	n.file = filepath.Join(t.TempDir(), "authority.pem")
	if err == nil {
		err = os.WriteFile(n.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// client returns a client of the network; storage is reached directly.
func (n *network) client() *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(n.authority)
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		Proxy: func(r *http.Request) (*url.URL, error) {
			if r.URL.Scheme == "http" {
				return nil, nil
			}
			return url.Parse(n.proxy.URL)
		},
	}}
}

// environment is what a program needs to be in the network. Source: package net/http,
// ProxyFromEnvironment, and package crypto/x509, SystemCertPool.
func (n *network) environment() []string {
	return []string{"HTTPS_PROXY=" + n.proxy.URL, "SSL_CERT_FILE=" + n.file}
}

// connect joins a client with the door.
func (n *network) connect(w http.ResponseWriter) {
	door, err := net.DialTimeout("tcp", n.door.Listener.Addr().String(), 10*time.Second)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		door.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(door, client)
		door.Close()
	}()
	_, _ = io.Copy(client, door)
	client.Close()
}
