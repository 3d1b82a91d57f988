// Publishes one signed event: KEY=k1=s3cret go run . URL EVENT_TYPE JSON
//
// URL is a host's /events, or a topic's publish method, …/v1/projects/dev/topics/events:publish.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

// Message is Pub/Sub's message, whose data are base64 in JSON.
type Message struct {
	Data        []byte            `json:"data"`
	Attributes  map[string]string `json:"attributes"`
	OrderingKey string            `json:"orderingKey,omitempty"`
}

// Sign adds the signatures v2 and v1 to a message that has its other attributes. See docs/signature.md.
func Sign(keyID, secret string, message *Message) {
	signed := binary.LittleEndian.AppendUint64(nil, 6)
	for _, name := range []string{"event-type", "event-id", "event-time", "ordering-key", "content-type"} {
		signed = binary.LittleEndian.AppendUint64(signed, uint64(len(message.Attributes[name])))
		signed = append(signed, message.Attributes[name]...)
	}
	signed = binary.LittleEndian.AppendUint64(signed, uint64(len(message.Data)))
	signed = append(signed, message.Data...)
	v2Key := sha256.Sum256([]byte("tidemill-signature-v2:" + secret))
	message.OrderingKey = message.Attributes["ordering-key"]
	message.Attributes["signature-v2"] = "v2," + keyID + "," + base64.StdEncoding.EncodeToString(mac(v2Key[:], signed))
	message.Attributes["signature"] = hex.EncodeToString(mac([]byte(secret), message.Data))
}

func mac(key, data []byte) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write(data)
	return hash.Sum(nil)
}

// uuid7 is 48 bits of milliseconds, the version, 12 random bits, the variant, 62 random bits (RFC 9562).
func uuid7() string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16)
	if _, err := rand.Read(id[6:]); err != nil {
		log.Fatal(err)
	}
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func main() {
	log.SetFlags(0)
	keyID, secret, found := strings.Cut(os.Getenv("KEY"), "=")
	if len(os.Args) != 4 || !found {
		log.Fatal("usage: KEY=ID=SECRET go run . URL EVENT_TYPE JSON")
	}
	url, eventType, data := os.Args[1], os.Args[2], os.Args[3]
	message := Message{Data: []byte(data), Attributes: map[string]string{
		"event-type":   eventType,
		"event-id":     uuid7(),
		"event-time":   time.Now().UTC().Format(time.RFC3339Nano),
		"content-type": "application/json",
	}}
	Sign(keyID, secret, &message)
	var envelope any = map[string]Message{"message": message}
	if strings.HasSuffix(url, ":publish") {
		envelope = map[string][]Message{"messages": {message}}
	}
	body, err := json.Marshal(envelope)
	if err != nil {
		log.Fatal(err)
	}
	response, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode >= 300 {
		log.Fatalf("refused with %s: %s", response.Status, answer)
	}
	fmt.Println(message.Attributes["event-id"])
}
