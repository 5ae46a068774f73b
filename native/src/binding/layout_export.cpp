// The layout of everything that TypeScript reads or writes directly, by name. tools/gen-layout.mjs turns it
// into layout.gen.ts; the loader compares the hash, so that the two can never differ silently.
#include <cstddef>
#include <cstdio>
#include <string>

#include "base/counters.hpp"
#include "base/ids.hpp"
#include "binding/addon.hpp"
#include "mbuf/mbuf.hpp"

namespace pollwire::binding {

namespace {

struct Constant {
  const char* name;
  std::uint32_t value;
};

#define PW_FIELD(name, field) \
  { "MBUF_" name, static_cast<std::uint32_t>(offsetof(Mbuf, field)) }

// clang-format off
constexpr Constant kLayout[] = {
    {"MBUF_SIZE", kMbufHeader}, {"MBUF_HEADROOM", kHeadroom}, {"HANDLE_SHIFT", kHandleShift},
    PW_FIELD("BUF_ADDR", bufAddr), PW_FIELD("DATA_OFF", dataOff), PW_FIELD("REFCNT", refcnt), PW_FIELD("NB_SEGS", nbSegs),
    PW_FIELD("PORT", port), PW_FIELD("PKT_LEN", pktLen), PW_FIELD("DATA_LEN", dataLen), PW_FIELD("VLAN_TCI", vlanTci),
    PW_FIELD("NEXT", next), PW_FIELD("OL_FLAGS", olFlags), PW_FIELD("PACKET_TYPE", packetType),
    PW_FIELD("HASH_RSS", hashRss), PW_FIELD("L2_LEN", l2Len), PW_FIELD("L4_LEN", l4Len), PW_FIELD("L3_LEN", l3Len),
    PW_FIELD("TSO_SEGSZ", tsoSegsz), PW_FIELD("VLAN_TCI_OUTER", vlanTciOuter), PW_FIELD("BUF_LEN", bufLen),
    PW_FIELD("POOL", pool), PW_FIELD("FLAGS", flags), PW_FIELD("EXT", ext), PW_FIELD("TIMESTAMP", timestamp),
    {"FLAG_CLONE", kMbufClone}, {"FLAG_EXTERNAL", kMbufExternal},
    {"OL_RX_VLAN", kRxVlan}, {"OL_RX_VLAN_STRIPPED", kRxVlanStripped}, {"OL_RX_IP_CKSUM_BAD", kRxIpCksumBad},
    {"OL_RX_IP_CKSUM_GOOD", kRxIpCksumGood}, {"OL_RX_L4_CKSUM_BAD", kRxL4CksumBad},
    {"OL_RX_L4_CKSUM_GOOD", kRxL4CksumGood}, {"OL_RX_L4_CKSUM_NONE", kRxL4CksumNone}, {"OL_RX_LRO", kRxLro},
    {"OL_RX_RSS_HASH", kRxRssHash}, {"OL_TX_VLAN", kTxVlan}, {"OL_TX_IP_CKSUM", kTxIpCksum},
    {"OL_TX_TCP_CKSUM", kTxTcpCksum}, {"OL_TX_UDP_CKSUM", kTxUdpCksum}, {"OL_TX_TCP_SEG", kTxTcpSeg},
    {"OL_TX_UDP_SEG", kTxUdpSeg}, {"OL_TX_IPV4", kTxIpv4}, {"OL_TX_IPV6", kTxIpv6},
    {"MAX_LCORES", kMaxLcores}, {"MAX_PORTS", kMaxPorts}, {"MAX_QUEUES", kMaxQueues}, {"MAX_SLOTS", kMaxSlots},
    {"MAX_POOLS", kMaxPools}, {"MAX_RINGS", kMaxRings}, {"MAX_BURST", kMaxBurst},
#define PW_COUNTER_EXPORT(name, text) {"COUNTER_" #name, k##name},
    PW_COUNTERS(PW_COUNTER_EXPORT)
#undef PW_COUNTER_EXPORT
    {"COUNTER_COUNT", kCounterCount},
};
// clang-format on

// FNV-1a over names and values in order.
std::string layoutHash() {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  const auto mix = [&hash](const std::string& text) {
    for (const char c : text) {
      hash ^= static_cast<unsigned char>(c);
      hash *= 0x100000001b3ull;
    }
  };
  for (const Constant& constant : kLayout)
    mix(std::string(constant.name) + "=" + std::to_string(constant.value) + ";");
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

Napi::Value layout(const Napi::CallbackInfo& info) {
  Napi::Object table = Napi::Object::New(info.Env());
  for (const Constant& constant : kLayout)
    table.Set(constant.name, Napi::Number::New(info.Env(), constant.value));
  return table;
}

}  // namespace

void addLayout(Napi::Env env, Napi::Object exports) {
  exports.Set("layoutHash", Napi::String::New(env, layoutHash()));
  exports.Set("flavour", Napi::String::New(env, POLLWIRE_FLAVOUR));
  add(exports, "layout", layout);
}

}  // namespace pollwire::binding
