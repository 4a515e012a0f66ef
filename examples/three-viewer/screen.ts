/** Two squares side by side, each with a texture of the GPU on it. */
import * as THREE from 'three/webgpu';

export interface Screen {
  readonly scene: THREE.Scene;
  readonly camera: THREE.OrthographicCamera;
  readonly left: THREE.MeshBasicMaterial;
  readonly right: THREE.MeshBasicMaterial;
}

export function createScreen(): Screen {
  const scene = new THREE.Scene();
  const square = (x: number): THREE.MeshBasicMaterial => {
    const material = new THREE.MeshBasicMaterial({ color: 0x444444 });
    const mesh = new THREE.Mesh(new THREE.PlaneGeometry(2, 2), material);
    mesh.position.x = x;
    scene.add(mesh);
    return material;
  };
  const camera = new THREE.OrthographicCamera(-2, 2, 1, -1, 0, 1);
  return { scene, camera, left: square(-1), right: square(1) };
}

/** Rows of textures that the GPU has written go from top to bottom, those of a plane upwards. */
export function setMap(material: THREE.MeshBasicMaterial, map: THREE.Texture): void {
  map.repeat.y = -1;
  map.offset.y = 1;
  material.map?.dispose();
  material.setValues({ map, color: 0xffffff });
  material.needsUpdate = true;
}
