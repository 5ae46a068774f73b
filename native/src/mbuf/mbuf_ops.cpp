#include "mbuf/mbuf_ops.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/shared.hpp"

namespace pollwire {

namespace {

constexpr std::uint32_t kMaxAppend = 65535;

// Gives one reference up; true when it was the last and the mbuf may be recycled.
bool dropReference(Mbuf* mbuf) noexcept {
  // What other owners did to the payload comes before what the next one does.
  if (PW_LIKELY(loadAcquire(mbuf->refcnt) == 1)) return true;
  if (std::atomic_ref<std::uint16_t>(mbuf->refcnt).fetch_sub(1) != 1) return false;
  mbuf->refcnt = 1;
  return true;
}

void putBack(Handle handle, Mbuf* mbuf) noexcept {
  mbuf->nbSegs = 1;
  mbuf->next = kNoHandle;
  mbuf->flags = 0;
  mbuf->ext = kNoHandle;
  Mempool::byId(mbuf->pool)->putBulk(&handle, 1);
}

void freeSegment(Handle handle) noexcept {
  Mbuf* mbuf = mbufOf(handle);
  if (!dropReference(mbuf)) return;
  if (mbuf->flags & kMbufClone) {
    const Handle owner = mbuf->ext;
    mbuf->bufAddr = ownBuffer(mbuf);
    mbuf->bufLen = static_cast<std::uint16_t>(Mempool::byId(mbuf->pool)->dataRoom());
    Mbuf* direct = mbufOf(owner);
    if (dropReference(direct)) putBack(owner, direct);
  }
  putBack(handle, mbuf);
}

void copyMetadata(Mbuf* to, const Mbuf* from) noexcept {
  to->port = from->port;
  to->vlanTci = from->vlanTci;
  to->olFlags = from->olFlags;
  to->packetType = from->packetType;
  to->hashRss = from->hashRss;
  to->l2Len = from->l2Len;
  to->l3Len = from->l3Len;
  to->l4Len = from->l4Len;
  to->tsoSegsz = from->tsoSegsz;
  to->vlanTciOuter = from->vlanTciOuter;
  to->timestamp = from->timestamp;
}

// Nobody else sees this segment's buffer.
bool isExclusive(const Mbuf* mbuf) noexcept { return loadAcquire(mbuf->refcnt) == 1 && mbuf->flags == 0; }

Mbuf* lastSegment(Mbuf* mbuf) noexcept {
  while (mbuf->next != kNoHandle) mbuf = mbufOf(mbuf->next);
  return mbuf;
}

}  // namespace

void freeChain(Handle head) noexcept {
  while (head != kNoHandle) {
    const Handle next = mbufOf(head)->next;
    freeSegment(head);
    head = next;
  }
}

bool isConsistent(const Mbuf* head) noexcept {
  std::uint64_t sum = 0;
  std::uint32_t segments = 0;
  for (const Mbuf* mbuf = head;; mbuf = mbufOf(mbuf->next)) {
    if (static_cast<std::uint32_t>(mbuf->dataOff) + mbuf->dataLen > mbuf->bufLen) return false;
    sum += mbuf->dataLen;
    segments++;
    if (mbuf->next == kNoHandle) break;
    if (segments == head->nbSegs) return false;
  }
  return segments == head->nbSegs && sum == head->pktLen;
}

std::uint32_t readPacket(const Mbuf* head, std::uint32_t offset, std::span<std::byte> target) noexcept {
  std::uint32_t done = 0;
  for (const Mbuf* mbuf = head; done < target.size();) {
    if (offset < mbuf->dataLen) {
      const auto piece =
          std::min<std::uint32_t>(mbuf->dataLen - offset, static_cast<std::uint32_t>(target.size()) - done);
      std::memcpy(target.data() + done, dataOf(mbuf) + offset, piece);
      done += piece;
      offset = 0;
    } else {
      offset -= mbuf->dataLen;
    }
    if (mbuf->next == kNoHandle) break;
    mbuf = mbufOf(mbuf->next);
  }
  return done;
}

std::uint32_t writePacket(Mbuf* head, std::uint32_t offset, std::span<const std::byte> source) noexcept {
  std::uint32_t done = 0;
  for (Mbuf* mbuf = head; done < source.size();) {
    if (offset < mbuf->dataLen) {
      const auto piece =
          std::min<std::uint32_t>(mbuf->dataLen - offset, static_cast<std::uint32_t>(source.size()) - done);
      std::memcpy(dataOf(mbuf) + offset, source.data() + done, piece);
      done += piece;
      offset = 0;
    } else {
      offset -= mbuf->dataLen;
    }
    if (mbuf->next == kNoHandle) break;
    mbuf = mbufOf(mbuf->next);
  }
  return done;
}

bool appendPacket(Handle headHandle, std::span<const std::byte> source) noexcept {
  Mbuf* head = mbufOf(headHandle);
  Mbuf* last = lastSegment(head);
  Mempool* pool = Mempool::byId(head->pool);
  if (source.size() > kMaxAppend) return false;
  if (source.empty()) return true;
  const auto total = static_cast<std::uint32_t>(source.size());
  const std::uint32_t inLast = isExclusive(last) ? std::min(total, tailroomOf(last)) : 0;
  const std::uint32_t room = pool->dataRoom();
  const std::uint32_t extra = (total - inLast + room - 1) / room;
  Handle fresh[kMaxAppend / Mempool::kMinDataRoom + 1];
  if (head->nbSegs + extra > 0xffff) return false;
  if (extra != 0 && pool->allocBulk(fresh, extra) != extra) return false;

  std::memcpy(dataOf(last) + last->dataLen, source.data(), inLast);
  last->dataLen = static_cast<std::uint16_t>(last->dataLen + inLast);
  std::uint32_t done = inLast;
  for (std::uint32_t i = 0; i < extra; i++) {
    Mbuf* mbuf = mbufOf(fresh[i]);
    const std::uint32_t piece = std::min(total - done, room);
    resetForRx(mbuf, head->port, piece);
    mbuf->dataOff = 0;
    std::memcpy(dataOf(mbuf), source.data() + done, piece);
    last->next = fresh[i];
    last = mbuf;
    done += piece;
  }
  head->nbSegs = static_cast<std::uint16_t>(head->nbSegs + extra);
  head->pktLen += total;
  return true;
}

bool joinChains(Handle headHandle, Handle tailHandle) noexcept {
  Mbuf* head = mbufOf(headHandle);
  Mbuf* tail = mbufOf(tailHandle);
  if (headHandle == tailHandle || head->nbSegs + tail->nbSegs > 0xffff) return false;
  lastSegment(head)->next = tailHandle;
  head->nbSegs = static_cast<std::uint16_t>(head->nbSegs + tail->nbSegs);
  head->pktLen += tail->pktLen;
  tail->nbSegs = 1;
  return true;
}

Handle copyPacket(Handle headHandle, Mempool& pool) noexcept {
  const Mbuf* source = mbufOf(headHandle);
  const Handle copy = pool.alloc();
  if (copy == kNoHandle) return kNoHandle;
  Mbuf* target = mbufOf(copy);
  resetForRx(target, source->port, 0);
  for (const Mbuf* mbuf = source;; mbuf = mbufOf(mbuf->next)) {
    if (!appendPacket(copy, {dataOf(mbuf), mbuf->dataLen})) {
      freeChain(copy);
      return kNoHandle;
    }
    if (mbuf->next == kNoHandle) break;
  }
  copyMetadata(target, source);
  return copy;
}

Handle clonePacket(Handle headHandle, Mempool& pool) noexcept {
  Handle first = kNoHandle;
  Mbuf* previous = nullptr;
  std::uint16_t segments = 0;
  for (Handle handle = headHandle; handle != kNoHandle; handle = mbufOf(handle)->next) {
    Mbuf* source = mbufOf(handle);
    const Handle owner = (source->flags & kMbufClone) != 0 ? source->ext : handle;
    const bool shareable =
        (source->flags & kMbufExternal) == 0 && loadRelaxed(mbufOf(owner)->refcnt) != 0xffff;
    const Handle copy = shareable ? pool.alloc() : kNoHandle;
    if (copy == kNoHandle) {
      if (first != kNoHandle) freeChain(first);
      return kNoHandle;
    }
    std::atomic_ref<std::uint16_t>(mbufOf(owner)->refcnt).fetch_add(1);
    Mbuf* target = mbufOf(copy);
    resetForRx(target, source->port, source->dataLen);
    target->bufAddr = source->bufAddr;
    target->bufLen = source->bufLen;
    target->dataOff = source->dataOff;
    target->flags = kMbufClone;
    target->ext = owner;
    if (previous == nullptr) {
      first = copy;
    } else {
      previous->next = copy;
    }
    previous = target;
    segments++;
  }
  Mbuf* head = mbufOf(first);
  copyMetadata(head, mbufOf(headHandle));
  head->pktLen = mbufOf(headHandle)->pktLen;
  head->nbSegs = segments;
  return first;
}

bool borrowBuffer(Handle handle, Mempool& pool) noexcept {
  const Handle owner = pool.alloc();
  if (owner == kNoHandle) return false;
  Mbuf* const lender = mbufOf(owner);
  Mbuf* const mbuf = mbufOf(handle);
  mbuf->bufAddr = lender->bufAddr;
  mbuf->bufLen = lender->bufLen;
  mbuf->dataOff = kHeadroom;
  mbuf->flags = kMbufClone;
  mbuf->ext = owner;
  return true;
}

bool linearize(Handle headHandle) noexcept {
  Mbuf* head = mbufOf(headHandle);
  if (head->next == kNoHandle) return true;
  if (!isConsistent(head) || !isExclusive(head)) return false;
  if (head->pktLen > head->bufLen) return false;
  if (head->dataOff + head->pktLen > head->bufLen) {
    std::memmove(head->bufAddr, dataOf(head), head->dataLen);
    head->dataOff = 0;
  }
  const Handle rest = head->next;
  std::uint32_t at = head->dataLen;
  for (Handle handle = rest; handle != kNoHandle; handle = mbufOf(handle)->next) {
    const Mbuf* mbuf = mbufOf(handle);
    std::memcpy(dataOf(head) + at, dataOf(mbuf), mbuf->dataLen);
    at += mbuf->dataLen;
  }
  head->next = kNoHandle;
  head->nbSegs = 1;
  head->dataLen = static_cast<std::uint16_t>(at);
  freeChain(rest);
  return true;
}

}  // namespace pollwire
