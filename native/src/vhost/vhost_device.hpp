// A vhost device: its rings, its view of the peer's memory, and the operations by which the control plane
// (vhost-user messages, decided in TypeScript) changes them while lcores keep polling. Control plane only,
// one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "guest/dirty_log.hpp"
#include "guest/iotlb.hpp"
#include "guest/postcopy.hpp"
#include "guest/regions.hpp"
#include "sys/fd.hpp"
#include "vhost/chain_queue.hpp"
#include "vhost/inflight_area.hpp"
#include "vhost/ring_setup.hpp"
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

enum class Direction : std::uint8_t { kRx, kTx };

struct BindOptions {
  std::uint32_t pool = ~0u;
  std::uint16_t port = kNoPort;
  bool linear = false;
  bool stripVlan = false;
  bool legacyFlags = false;
  // rx: pool of larger buffers for packets that do not fit into one mbuf of `pool`.
  std::uint32_t buffers = ~0u;
};

struct IotlbMiss {
  std::uint64_t iova;
  Access access;
};

struct RingState {
  bool started;
  bool enabled;
  std::string broken;
  std::uint32_t lastAvail;
  std::uint32_t lastUsed;
  std::uint32_t availIdx;
  std::uint32_t usedIdx;
};

// For people who ask why nothing moves.
struct RingInspection {
  // Chains that the driver made available and that were not taken yet.
  std::uint32_t waiting = 0;
  // Every byte of the descriptors, as we see them, is zero: no driver has ever written there.
  bool blank = false;
  // The driver kicked and nobody has read it.
  bool kickPending = false;
};

class Device {
 public:
  Device(std::uint32_t id, std::uint32_t rings);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Memory. Each returns the rings that had to stop because their addresses no longer translate. On failure
  // nothing changes.
  Result<std::vector<std::uint32_t>> setMemory(const std::vector<RegionSpec>& specs, std::vector<Fd> fds);
  Result<std::vector<std::uint32_t>> addRegion(const RegionSpec& spec, Fd fd);
  Result<std::vector<std::uint32_t>> removeRegion(const RegionSpec& spec);

  // In-flight region of all rings that start from now on. On failure nothing changes.
  Status setInflight(const InflightSpec& spec, bool packed, Fd fd);
  void dropInflight() { inflight_ = nullptr; }

  // Connects a ring with a slot; the slot runs once the ring is started and enabled.
  Status bind(std::uint32_t ring, std::uint32_t slot, Direction direction, const BindOptions& options);
  Status unbind(std::uint32_t ring);

  Status startRing(std::uint32_t ring, const RingConfig& config);
  // Index to report in GET_VRING_BASE. After it returns, no access to the ring or to buffers happens.
  Result<std::uint32_t> stopRing(std::uint32_t ring);
  Status setKick(std::uint32_t ring, Fd fd);
  Status setCall(std::uint32_t ring, Fd fd);
  Status enableRing(std::uint32_t ring, bool enabled);
  Status wantKicks(std::uint32_t ring, bool wanted);
  Result<RingState> state(std::uint32_t ring) const;
  // The dirty log. Rings whose features have VHOST_F_LOG_ALL mark every page that they write in the area that
  // was set last; on failure nothing changes.
  Status setLog(std::uint64_t size, std::uint64_t offset, Fd fd);
  // Switches VHOST_F_LOG_ALL, also while rings run: every write after the return is marked, or none.
  void setLogAll(bool on);
  // Writes to the ring's used part are marked as if it lay at this guest-physical address, or not at all.
  Status setRingLog(std::uint32_t ring, bool logUsed, std::uint64_t usedLogAddr);
  // Postcopy: memory arrives while the guest runs. Between ready and end nothing but bursts touches it.
  Result<Fd> postcopyAdvise();
  Status postcopyListen();
  // Where a region of the table lies in this process, for the front-end to know its faults by.
  Result<std::uint64_t> postcopyAddress(std::uint64_t guestAddr, std::uint64_t size) const;
  Status postcopyReady();
  // Wakes whoever still waits for a page.
  void postcopyEnd() noexcept;
  Result<RingInspection> inspect(std::uint32_t ring);
  // Calls the driver whatever it wants; false when there is nothing to call it by.
  Result<bool> signalDriver(std::uint32_t ring);
  // Requests of a ring that no slot serves. The pointer lives as long as the device; nothing can be taken
  // while the ring is stopped or disabled.
  Result<ChainQueue*> chains(std::uint32_t ring);
  // -1: the driver's kicks have no descriptor. Stays the device's, until the next setKick.
  Result<int> kickFd(std::uint32_t ring);
  // The IOMMU of rings with ACCESS_PLATFORM: [iova, last] lies at the front-end's user address `user`, or
  // nowhere any more. Rings whose own addresses lose their translation rest until it is back.
  Status iotlbUpdate(std::uint64_t iova, std::uint64_t last, std::uint64_t user, std::uint8_t permission);
  void iotlbInvalidate(std::uint64_t iova, std::uint64_t last);
  // Addresses to ask the front-end for. `again`: those that it was asked for and has not answered, too.
  std::vector<IotlbMiss> takeMisses(bool again);
  // Chains that wait for this address are bad ones now.
  void giveUpMiss(std::uint64_t iova);
  // `frame` is the next thing that rx bursts of this ring return.
  Status inject(std::uint32_t ring, std::vector<std::byte> frame);

 private:
  // An address of a ring's own parts that has no translation.
  struct Lack {
    std::uint64_t iova;
    Access access;
    bool asked;
  };
  struct Ring {
    Queue queue;
    RingConfig config;
    Direction direction = Direction::kRx;
    bool started = false;
    bool enabled = false;
    // Started, and its parts are not translated. `base` says where it stands.
    bool waiting = false;
    std::vector<Lack> lacking;
    std::uint32_t base = 0;
    // What GET_VRING_BASE was told last on this connection.
    std::optional<std::uint32_t> answeredBase;
    std::uint32_t slot = ~0u;
    Fd kick;
    Fd call;
    // Made when somebody asks for it; a ring has either this or a slot.
    std::unique_ptr<ChainQueue> chains;

    bool live() const noexcept { return started && !waiting; }
  };

  Result<Ring*> ringAt(std::uint32_t ring);
  Status checkedFd(Ring& ring, const char* what, const Fd& fd) const;
  Result<DeviceRing> resume(const Ring& ring, std::uint32_t index, DeviceRing opened, std::uint32_t base);
  std::vector<std::uint32_t> swapMemory(std::shared_ptr<const RegionTable> table);
  // The address spaces of the ring's bursts. Its slot is closed.
  void useMemory(Ring& ring, const RegionTable& table);
  // The ring runs from here on.
  void begin(Ring& ring, const RingConfig& config, const DeviceRing& translated);
  // The ring rests where it stands; no burst is inside.
  void suspend(Ring& ring);
  // Behind an IOMMU: the ring runs, or waits for translations.
  Status startBehindIommu(Ring& ring, const RingConfig& config);
  Status openBehindIommu(Ring& ring);
  std::vector<Lack> lackOf(const Ring& ring) const;
  // A running ring goes on with what is in force now.
  void reopen(Ring& ring);
  // Puts the burst function that fits the present state into the slot, and opens or closes it.
  void apply(Ring& ring);
  std::string nameOf(const Ring& ring) const;

  std::uint32_t id_;
  std::shared_ptr<const RegionTable> memory_;
  std::shared_ptr<const DirtyLog> log_;
  Postcopy postcopy_;
  Iotlb iotlb_;
  std::shared_ptr<const InflightArea> inflight_;
  std::vector<std::unique_ptr<Ring>> rings_;
};

}  // namespace pollwire::vhost
