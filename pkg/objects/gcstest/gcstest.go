// Package gcstest is Google Cloud Storage on this machine, for tests and for the cloud in
// small: fake-gcs-server and, before it, what that leaves out, the door for everybody,
// which opens to a V4 signature alone.
//
// What it cannot show: rights (the door for services asks nobody who they are), lifecycle
// rules, and what the storage does with a signature that comes with an Authorization
// header, which its documentation does not say; here the signature counts.
package gcstest

import (
	"context"
	"crypto/rsa"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// Storage is a running storage.
type Storage struct {
	API    string // host:port that services use: STORAGE_EMULATOR_HOST
	Public string // URL below which signed URLs lead, in place of https://storage.googleapis.com

	fake    *fakestorage.Server
	servers []*http.Server
}

// Listen starts a storage on two addresses of this machine ("127.0.0.1:0" takes a free
// port), which takes signatures of account that its key verifies. It keeps objects in the
// folder dir, or in memory if that is "".
func Listen(ctx context.Context, api, public, dir, account string, key *rsa.PublicKey) (*Storage, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", api)
	if err != nil {
		return nil, err
	}
	door, err := new(net.ListenConfig).Listen(ctx, "tcp", public)
	if err != nil {
		listener.Close()
		return nil, err
	}
	s := &Storage{API: listener.Addr().String(), Public: "http://" + door.Addr().String()}
	host, _, err := net.SplitHostPort(s.API)
	if err != nil {
		return nil, err
	}
	s.fake, err = fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener: true, StorageRoot: dir, PublicHost: host, ExternalURL: "http://" + s.API, // at any port: something may stand between
	})
	if err != nil {
		listener.Close()
		door.Close()
		return nil, err
	}
	check := &verifier{account: account, key: key, next: s.open(), now: time.Now}
	for l, handler := range map[net.Listener]http.Handler{listener: s.fake.HTTPHandler(), door: check} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		s.servers = append(s.servers, server)
		go func() { _ = server.Serve(l) }()
	}
	return s, nil
}

// CreateBucket makes an empty bucket, if there is none of that name.
func (s *Storage) CreateBucket(name string) {
	s.fake.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
}

// Put puts an object into a bucket, in place of the one of that name.
func (s *Storage) Put(bucket, name string, data []byte) {
	s.fake.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: name}, Content: data})
}

// Generation returns the generation of an object.
func (s *Storage) Generation(bucket, name string) (int64, error) {
	o, err := s.fake.GetObject(bucket, name)
	return o.Generation, err
}

// Close ends the storage.
func (s *Storage) Close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
}

// open serves /bucket/object from the fake, with what the query says of the answer.
func (s *Storage) open() http.Handler {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			bucket, object, _ := strings.Cut(strings.TrimPrefix(r.In.URL.EscapedPath(), "/"), "/")
			object, _ = url.PathUnescape(object)
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", s.API, s.API
			r.Out.URL.Path = "/download/storage/v1/b/" + bucket + "/o/" + object
			r.Out.URL.RawPath = "/download/storage/v1/b/" + bucket + "/o/" + url.PathEscape(object)
			query := url.Values{}
			for key, values := range r.In.URL.Query() {
				if strings.HasPrefix(key, "response-") {
					query[key] = values
				}
			}
			r.Out.URL.RawQuery = query.Encode()
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Cache-Control", "private, max-age=0") // what the storage says of objects that are not public
			return nil
		},
	}
}
