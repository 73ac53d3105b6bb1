// Package signingtest holds the rules that every signer of result URLs keeps, as tests:
// a backend keeps the contract of package signing if [Run] passes on it, together with
// the storage that honours its URLs.
package signingtest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/signing"
)

// Names holds names of objects, the last parts of which are also names of files.
var Names = []string{
	"results/a1/1/cutout.fits", "plain", "results/a b/c d.fits", "results/plus+plus.fits", "results/50%.fits", "results/100%25.fits",
	"results/ümlaut/Ω≈ç√.fits", "results/q?x=1&y=2;z.fits", "results/hash#1.fits", "results/'quotes\".fits", "results/..hidden/a..b.fits",
	"results/[1][2:3,4].fits", "results/@~$!*().fits",
}

// refused reports whether an answer says that the URL gives no right. Storages disagree on
// the status: 403 for a wrong signature everywhere, 400 for an expired or malformed one on
// Google Cloud and S3, 401 and 405 for another method. Not 404: nobody without a right
// shall learn whether an object is there.
func refused(status int) bool {
	return slices.Contains([]int{400, 401, 403, 405}, status)
}

// Run checks a signer. open returns a fresh one, a way to put an object where its URLs
// lead, and the client to ask with.
func Run(t *testing.T, open func(t *testing.T) (signer signing.Signer, put func(name string, data []byte), client *http.Client)) {
	request := func(object string) signing.Request {
		return signing.Request{
			Object: object, Method: http.MethodGet, Expiry: time.Minute,
			Name: object[strings.LastIndexByte(object, '/')+1:], MIME: "application/fits",
		}
	}
	sign := func(t *testing.T, s signing.Signer, r signing.Request) string {
		t.Helper()
		signed, err := s.SignedURL(t.Context(), r)
		if err != nil {
			t.Fatalf("SignedURL(%+v): %v", r, err)
		}
		if u, err := url.Parse(signed); err != nil || !u.IsAbs() {
			t.Fatalf("SignedURL(%+v): %q is no absolute URL: %v", r, signed, err)
		}
		return signed
	}
	ask := func(t *testing.T, client *http.Client, method, address string, header ...string) (*http.Response, []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, address, err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, address, err)
		}
		return answer, body
	}

	t.Run("TheURLGivesTheObject", func(t *testing.T) {
		signer, put, client := open(t)
		for _, name := range Names {
			data := []byte("the bytes of " + name)
			put(name, data)
			signed := sign(t, signer, request(name))
			answer, body := ask(t, client, http.MethodGet, signed)
			if answer.StatusCode != 200 || !bytes.Equal(body, data) {
				t.Errorf("%q: status %d, %q; want 200, %q", name, answer.StatusCode, body, data)
				continue
			}
			if got := answer.Header.Get("Content-Type"); got != "application/fits" {
				t.Errorf("%q: Content-Type %q; want application/fits", name, got)
			}
			disposition, params, err := mime.ParseMediaType(answer.Header.Get("Content-Disposition"))
			if want := request(name).Name; err != nil || disposition != "attachment" || params["filename"] != want {
				t.Errorf("%q: Content-Disposition %q is saved as %q, %v; want an attachment %q", name, answer.Header.Get("Content-Disposition"), params["filename"], err, want)
			}
			if cache := answer.Header.Get("Cache-Control"); cache != "" && !strings.Contains(cache, "private") {
				t.Errorf("%q: Cache-Control %q; want none or private", name, cache)
			}
		}
	})

	t.Run("TheNameIsWhatWasAsked", func(t *testing.T) {
		signer, put, client := open(t)
		put("results/a1/1/r", []byte("x"))
		r := request("results/a1/1/r")
		r.Name, r.MIME = "M 31 – été.fits", `text/plain; charset="utf-8"`
		answer, _ := ask(t, client, http.MethodGet, sign(t, signer, r))
		_, params, err := mime.ParseMediaType(answer.Header.Get("Content-Disposition"))
		if err != nil || params["filename"] != r.Name {
			t.Errorf("Content-Disposition %q, %v; want the name %q", answer.Header.Get("Content-Disposition"), err, r.Name)
		}
		if got, params, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || got != "text/plain" || params["charset"] != "utf-8" {
			t.Errorf("Content-Type %q; want %q", answer.Header.Get("Content-Type"), r.MIME)
		}
	})

	t.Run("HeadAndRangesWork", func(t *testing.T) {
		signer, put, client := open(t)
		put("r.fits", []byte("0123456789"))
		signed := sign(t, signer, request("r.fits"))
		if answer, body := ask(t, client, http.MethodHead, signed); answer.StatusCode != 200 || answer.ContentLength != 10 || len(body) != 0 {
			t.Errorf("HEAD: status %d, length %d; want 200, 10", answer.StatusCode, answer.ContentLength)
		}
		if answer, body := ask(t, client, http.MethodGet, signed, "Range", "bytes=2-4"); answer.StatusCode != 206 || string(body) != "234" {
			t.Errorf("Range: status %d, %q; want 206, 234", answer.StatusCode, body)
		}
	})

	t.Run("AnAuthorizationHeaderIsIgnored", func(t *testing.T) {
		signer, put, client := open(t)
		put("r.fits", []byte("x"))
		signed := sign(t, signer, request("r.fits"))
		for _, value := range []string{"Bearer e30.e30.x", "Basic dTpw", "nonsense"} {
			if answer, body := ask(t, client, http.MethodGet, signed, "Authorization", value); answer.StatusCode != 200 || string(body) != "x" {
				t.Errorf("with Authorization %q: status %d, %q; want 200, x", value, answer.StatusCode, body)
			}
			bare, _, _ := strings.Cut(signed, "?")
			if answer, _ := ask(t, client, http.MethodGet, bare, "Authorization", value); !refused(answer.StatusCode) {
				t.Errorf("Authorization %q instead of a signature: status %d; want 403", value, answer.StatusCode)
			}
		}
	})

	t.Run("NothingInItCanBeChanged", func(t *testing.T) {
		signer, put, client := open(t)
		put("results/a1/r.fits", []byte("mine"))
		put("results/a2/r.fits", []byte("another's"))
		signed := sign(t, signer, request("results/a1/r.fits"))
		no := func(what, method, address string) {
			t.Helper()
			if answer, body := ask(t, client, method, address); !refused(answer.StatusCode) || bytes.Contains(body, []byte("mine")) || bytes.Contains(body, []byte("another's")) {
				t.Errorf("%s: status %d, %.80q; want it refused", what, answer.StatusCode, body)
			}
		}
		no("another object", http.MethodGet, strings.Replace(signed, "/a1/", "/a2/", 1))
		no("an object that is not there", http.MethodGet, strings.Replace(signed, "/a1/", "/a3/", 1))
		for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch} {
			no("method "+method, method, signed)
		}
		u, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		if len(query) == 0 {
			t.Fatalf("%q has no parameters to sign with", signed)
		}
		for key := range query {
			for what, change := range map[string]func(url.Values){
				"without":      func(q url.Values) { q.Del(key) },
				"empty":        func(q url.Values) { q.Set(key, "") },
				"longer":       func(q url.Values) { q.Set(key, q.Get(key)+"0") },
				"other first":  func(q url.Values) { q.Set(key, flip(q.Get(key), 0)) },
				"other middle": func(q url.Values) { q.Set(key, flip(q.Get(key), len(q.Get(key))/2)) },
			} {
				changed := *u
				q := u.Query()
				change(q)
				changed.RawQuery = q.Encode()
				no("parameter "+key+", "+what, http.MethodGet, changed.String())
			}
		}
		if answer, body := ask(t, client, http.MethodGet, signed); answer.StatusCode != 200 || string(body) != "mine" {
			t.Errorf("the URL as it was signed: status %d, %q; want 200, mine", answer.StatusCode, body)
		}
	})

	t.Run("ItExpires", func(t *testing.T) {
		signer, put, client := open(t)
		put("r.fits", []byte("x"))
		r := request("r.fits")
		r.Expiry = 2 * time.Second
		signed := sign(t, signer, r)
		if answer, _ := ask(t, client, http.MethodGet, signed); answer.StatusCode != 200 {
			t.Errorf("at once: status %d; want 200", answer.StatusCode)
		}
		time.Sleep(r.Expiry + 1500*time.Millisecond) // times in URLs are whole seconds
		if answer, body := ask(t, client, http.MethodGet, signed); !refused(answer.StatusCode) {
			t.Errorf("after %v: status %d, %q; want it refused", r.Expiry, answer.StatusCode, body)
		}
	})

	t.Run("WhatIsGoneIsNotFound", func(t *testing.T) {
		signer, _, client := open(t)
		if answer, _ := ask(t, client, http.MethodGet, sign(t, signer, request("results/never/was.fits"))); answer.StatusCode != 404 {
			t.Errorf("status %d; want 404", answer.StatusCode)
		}
	})

	t.Run("RefusesWhatNothingCouldHonour", func(t *testing.T) {
		signer, _, _ := open(t)
		for what, change := range map[string]func(*signing.Request){
			"no object":        func(r *signing.Request) { r.Object = "" },
			"a way up":         func(r *signing.Request) { r.Object = "results/../secret" },
			"another method":   func(r *signing.Request) { r.Method = http.MethodDelete },
			"no method":        func(r *signing.Request) { r.Method = "" },
			"no time":          func(r *signing.Request) { r.Expiry = 0 },
			"time past":        func(r *signing.Request) { r.Expiry = -time.Second },
			"more than a week": func(r *signing.Request) { r.Expiry = 8 * 24 * time.Hour },
			"a header in name": func(r *signing.Request) { r.Name = "a.fits\r\nX-Evil: 1" },
			"a folder in name": func(r *signing.Request) { r.Name = "../a.fits" },
			"a header in type": func(r *signing.Request) { r.MIME = "text/plain\r\nX-Evil: 1" },
			"no type":          func(r *signing.Request) { r.MIME = "" },
		} {
			r := request("results/a1/r.fits")
			change(&r)
			if signed, err := signer.SignedURL(t.Context(), r); !errors.Is(err, fault.Usage) {
				t.Errorf("%s: %q, %v; want Usage", what, signed, err)
			}
		}
	})

	t.Run("SignsManyAtOnce", func(t *testing.T) {
		signer, put, client := open(t)
		put("r.fits", []byte("x"))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				signed, err := signer.SignedURL(t.Context(), request("r.fits"))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := client.Get(signed)
				if err != nil {
					t.Error(err)
					return
				}
				if answer.Body.Close(); answer.StatusCode != 200 {
					t.Errorf("status %d; want 200", answer.StatusCode)
				}
			})
		}
		wg.Wait()
	})
}

// flip returns s with another letter or digit at i, or one more if s is empty.
func flip(s string, i int) string {
	if s == "" {
		return "x"
	}
	b := []byte(s)
	if b[i] == '7' {
		b[i] = '3'
	} else {
		b[i] = '7'
	}
	return string(b)
}
