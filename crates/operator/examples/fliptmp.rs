use federation_block_signing::*; use federation_chain::*; use federation_roster::*; use federation_operator::*;
fn main(){
 let fed=FederationId::from_bytes([7;32]); let me=OperatorId::new(1);
 let dir=std::path::PathBuf::from("/tmp/fliptmp"); let _=std::fs::remove_dir_all(&dir);
 { let s=Store::open(&dir,fed,me).unwrap();
   for h in 0..20u32 { s.write(&[Record::Vote(Vote{kind:VoteKind::Prevote,height:BlockHeight::new(h),round:Round::new(0),value:Some(BlockHash::from_bytes([h as u8;32]))}), Record::Final(BlockHeight::new(h))], None).unwrap(); } }
 let p=dir.join("operator.redb"); let good=std::fs::read(&p).unwrap();
 println!("size {}",good.len());
 let mut panics=0; let mut errs=0; let mut same=0; let mut lost=0;
 std::panic::set_hook(Box::new(|i|{ eprintln!("{}", i.location().unwrap())}));
 let want={let s=Store::open(&dir,fed,me).unwrap(); s.records().unwrap()};
 let mode=std::env::args().nth(1).unwrap();
 let mut x=1u64;
 for i in 0..400usize { x=x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
   let mut b=good.clone();
   if mode=="flip" { // choose nonzero byte
     let nz:Vec<usize>=(0..b.len()).filter(|j|b[*j]!=0).collect();
     let at=nz[(x>>20) as usize % nz.len()]; b[at]^=1<<((x>>10)&7); }
   else if mode=="unclean" { let nz:Vec<usize>=(64..b.len()).filter(|j|b[*j]!=0).collect(); let at=nz[(x>>20) as usize % nz.len()]; b[at]^=1<<((x>>10)&7); b[9]|=2; }
   else { b.truncate((x>>20) as usize % b.len()); }
   std::fs::write(&p,&b).unwrap();
   let d=dir.clone();
   let r=std::panic::catch_unwind(move||{ let s=Store::open(&d,fed,me)?; s.records() });
   match r { Err(_)=>panics+=1, Ok(Err(e))=>{errs+=1; if i<20 {println!("{e}")}}, Ok(Ok(r))=> if r==want {same+=1} else {lost+=1; if lost<5 {println!("lost {} of {}",r.len(),want.len())}} }
 }
 println!("{mode}: panics {panics} errs {errs} same {same} lost {lost}");
}
