// A stream of pings whose every byte is checked, for a guest without a compiler: built static by
// test/harness/echo-stream.ts and copied into the initramfs.
//
//   echo-stream ADDRESS PACE_US     prints "@@BACK <ms>" when replies come again after 300 ms without any, and, when a line comes in
//                                   on standard input, "@@STREAM sent=… received=… duplicates=… corrupted=… longest=<ms>"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr uint32_t kMost = 1u << 24;
constexpr size_t kHeader = 8;
constexpr uint16_t kIdent = 0x5057;
constexpr double kSilence = 300;

unsigned char seen[kMost / 8];

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// Length and bytes follow from the number.
size_t fill(unsigned char* payload, uint32_t number) {
  const size_t length = 16 + number * 37 % 1400;
  uint32_t state = number * 2654435761u + 1;
  memcpy(payload, &number, 4);
  for (size_t i = 4; i < length; i++) {
    state = state * 1664525u + 1013904223u;
    payload[i] = static_cast<unsigned char>(state >> 24);
  }
  return length;
}

uint16_t checksum(const unsigned char* bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < length; i += 2) sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  if (length % 2 != 0) sum += static_cast<uint32_t>(bytes[length - 1] << 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

size_t request(unsigned char* packet, uint32_t number) {
  const size_t length = kHeader + fill(packet + kHeader, number);
  const uint16_t ident = htons(kIdent);
  const uint16_t sequence = htons(static_cast<uint16_t>(number));
  packet[0] = 8;
  packet[1] = packet[2] = packet[3] = 0;
  memcpy(packet + 4, &ident, 2);
  memcpy(packet + 6, &sequence, 2);
  const uint16_t sum = checksum(packet, length);
  memcpy(packet + 2, &sum, 2);
  return length;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const double pace = atof(arguments[2]) / 1e3;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1) return 2;
  const int socket = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  if (socket < 0) return perror("socket"), 1;
  fcntl(socket, F_SETFL, O_NONBLOCK);

  uint32_t sent = 0, received = 0, duplicates = 0, corrupted = 0;
  double longest = 0;
  double last = now();
  double due = last;
  unsigned char packet[2048];
  unsigned char expected[2048];
  for (;;) {
    pollfd wait[2] = {{socket, POLLIN, 0}, {0, POLLIN, 0}};
    poll(wait, 2, 1);
    for (ssize_t got; (got = recv(socket, packet, sizeof packet, 0)) > 0;) {
      const size_t ip = static_cast<size_t>(packet[0] & 15) * 4;
      uint16_t ident;
      memcpy(&ident, packet + ip + 4, 2);
      if (packet[ip] != 0 || ident != htons(kIdent)) continue;
      uint32_t number;
      memcpy(&number, packet + ip + kHeader, 4);
      const size_t length = fill(expected, number);
      if (number >= sent || static_cast<size_t>(got) != ip + kHeader + length ||
          memcmp(packet + ip + kHeader, expected, length) != 0) {
        corrupted++;
        continue;
      }
      unsigned char& byte = seen[number / 8];
      const auto bit = static_cast<unsigned char>(1u << number % 8);
      if ((byte & bit) != 0) duplicates++;
      byte |= bit;
      received++;
      const double gap = now() - last;
      last += gap;
      if (gap > longest) longest = gap;
      if (gap > kSilence) printf("@@BACK %.0f\n", gap), fflush(stdout);
    }
    if ((wait[1].revents & (POLLIN | POLLHUP)) != 0) break;
    if (now() < due || sent + 1 == kMost) continue;
    // What was missed while the machine slept is not made up for.
    due = now() - due > 100 ? now() : due + pace;
    const size_t length = request(packet, sent);
    if (sendto(socket, packet, length, 0, reinterpret_cast<sockaddr*>(&to), sizeof to) > 0) sent++;
  }
  printf("@@STREAM sent=%u received=%u duplicates=%u corrupted=%u longest=%.0f\n", sent, received, duplicates,
         corrupted, longest);
  return corrupted + duplicates == 0 ? 0 : 1;
}
